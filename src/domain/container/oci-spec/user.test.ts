import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  groupWithPrimary,
  parseUmask,
  passwdWithUser,
  type ResolvedUser,
  resolveUser,
  type UserInputs,
} from "./user.ts";

const plain: UserInputs = {
  runAsUser: undefined,
  runAsUsername: "",
  runAsGroup: undefined,
  supplementalGroups: [],
  supplementalGroupsPolicy: "merge",
  imageUser: "",
  passwd: [
    "root:x:0:0:root:/root:/bin/sh",
    "# a comment",
    "broken:line",
    "app:x:1000:1001:App:/srv/app:/bin/sh",
    "1234:x:77:78::/home/digits:/bin/sh",
    "nohome:x:5:5:::",
  ].join("\n"),
  group: ["root:x:0:", "app:x:1001:", "wheel:x:10:app,other", "audio:x:29:app", "games:x:60:other"].join("\n"),
};

describe("the user", () => {
  const cases: [name: string, changes: Partial<UserInputs>, expected: Partial<ResolvedUser>][] = [
    ["is root when nobody is named", {}, { uid: 0, gid: 0, home: "/root", additionalGids: [0] }],
    ["may be a number without an entry", { runAsUser: 4711 }, { uid: 4711, gid: 0, home: "/", additionalGids: [0] }],
    [
      "by number has the groups of its entry",
      { runAsUser: 1000 },
      { uid: 1000, gid: 1001, name: "app", home: "/srv/app", additionalGids: [1001, 10, 29] },
    ],
    ["by name is looked up", { runAsUsername: "app" }, { uid: 1000, gid: 1001 }],
    ["by a name of digits is looked up first", { runAsUsername: "1234" }, { uid: 77, gid: 78 }],
    ["of the image counts when the request names nobody", { imageUser: "app" }, { uid: 1000, gid: 1001 }],
    ["of the request wins over the image's", { runAsUser: 5, imageUser: "app:wheel" }, { uid: 5, gid: 5, home: "/" }],
    [
      "of the image with a group has no groups of its entry",
      { imageUser: "app:wheel" },
      { uid: 1000, gid: 10, additionalGids: [10] },
    ],
    ["of the image may have a numeric group", { imageUser: "7:8" }, { uid: 7, gid: 8 }],
    [
      "gets the group of the request",
      { runAsUser: 1000, runAsGroup: 5000 },
      { gid: 5000, additionalGids: [5000, 10, 29] },
    ],
    [
      "gets supplemental groups in addition, without duplicates",
      { runAsUser: 1000, supplementalGroups: [10, 3000] },
      { additionalGids: [1001, 10, 29, 3000] },
    ],
    [
      "gets only named groups with the strict policy",
      { runAsUser: 1000, supplementalGroups: [3000], supplementalGroupsPolicy: "strict" },
      { gid: 1001, additionalGids: [1001, 3000] },
    ],
    ["is found without any files when it is a number", { runAsUser: 9, passwd: "", group: "" }, { uid: 9, gid: 0 }],
  ];
  for (const [name, changes, expected] of cases)
    it(name, () => {
      const found = resolveUser({ ...plain, ...changes });
      assert.deepEqual({ ...found, ...expected }, found);
    });

  const failures: [name: string, changes: Partial<UserInputs>, message: RegExp][] = [
    ["an unknown name", { runAsUsername: "nobody-here" }, /"nobody-here" is not in the image's \/etc\/passwd/],
    ["an unknown name of the image", { imageUser: "ghost" }, /"ghost"/],
    ["an unknown group of the image", { imageUser: "app:ghosts" }, /"ghosts" is not in the image's \/etc\/group/],
    ["a group without a user", { runAsGroup: 5 }, /run_as_group 5 without run_as_user/],
    ["a negative id", { runAsUser: -1 }, /-1 is not a user or group id/],
    ["an id beyond 31 bits", { runAsUser: 2 ** 31 }, /2147483648/],
    ["a negative supplemental group", { supplementalGroups: [-5] }, /-5/],
  ];
  for (const [name, changes, message] of failures)
    it(`is an error for ${name}`, () => {
      assert.throws(() => resolveUser({ ...plain, ...changes }), { kind: "invalid-argument", message });
    });
});

describe("lines for who has none", () => {
  it("are added for an unknown user and its group", () => {
    const user = resolveUser({ ...plain, runAsUser: 4711, runAsGroup: 4712 });
    assert.match(
      passwdWithUser(plain.passwd, user, "/work") ?? "",
      /\n4711:x:4711:4712:4711 user:\/work:\/sbin\/nologin\n$/,
    );
    assert.match(groupWithPrimary(plain.group, user) ?? "", /\n4712:x:4712:\n$/);
  });

  it("are not added for a user and a group that are there", () => {
    const user = resolveUser({ ...plain, runAsUser: 1000 });
    assert.equal(passwdWithUser(plain.passwd, user, "/"), undefined);
    assert.equal(groupWithPrimary(plain.group, user), undefined);
  });
});

describe("the umask of an annotation", () => {
  it("is octal", () => {
    assert.equal(parseUmask("0027"), 0o27);
    assert.equal(parseUmask(undefined), undefined);
    assert.throws(() => parseUmask("9"), { kind: "invalid-argument" });
  });
});

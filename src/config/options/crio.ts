import { absolutePath, absolutePathOrEmpty } from "../checks.ts";
import { boolean, list, text } from "../option.ts";
import { section } from "../section.ts";

/** `[crio]`: where things are kept. */
export const crio = section("crio", "Where berth keeps images, containers and its own state.", {
  root: text("root", {
    default: "/var/lib/berth",
    shortFlag: "r",
    check: absolutePath,
    description:
      "Directory for what survives a reboot: images, layers, the writable layers of containers and their records. CRI-O's default is /var/lib/containers/storage; berth's store has a layout of its own and should not share that directory: berth warns of it at start.",
  }),
  runroot: text("runroot", {
    default: "/run/berth",
    check: absolutePath,
    description:
      "Directory for what a reboot ends: bundles, mounted roots, exit files, pinned namespaces. Should be on a tmpfs: berth warns at start when it is not.",
  }),
  imagestore: text("imagestore", {
    default: "",
    check: absolutePathOrEmpty,
    description: "Keeps images and layers here instead of below root. Empty: below root.",
  }),
  storageDriver: text("storage_driver", {
    default: "overlay",
    shortFlag: "s",
    status: "accepted",
    description: "berth has one way to store layers, overlay; other values change nothing.",
  }),
  storageOption: list("storage_option", {
    default: [],
    flags: ["storage-opt"],
    status: "accepted",
    description: "Options of the storage driver as containers/storage knows them.",
  }),
  logDir: text("log_dir", {
    default: "/var/log/crio/pods",
    check: absolutePath,
    description: "Directory for the logs of pods for which the kubelet names no log directory.",
  }),
  versionFile: text("version_file", {
    default: "",
    check: absolutePathOrEmpty,
    status: "accepted",
    description:
      "File on a tmpfs whose absence tells that the machine was rebooted. berth compares the kernel's boot id instead.",
  }),
  versionFilePersist: text("version_file_persist", {
    default: "",
    check: absolutePathOrEmpty,
    status: "accepted",
    description:
      "File that holds the version that ran last, so that an upgrade can wipe images. berth never wipes images at start.",
  }),
  internalWipe: boolean("internal_wipe", {
    default: true,
    status: "accepted",
    deprecated: "Containers of before a reboot are always cleaned up at start; images are kept.",
    description: "Whether to clean up after a reboot at start.",
  }),
  internalRepair: boolean("internal_repair", {
    default: true,
    status: "accepted",
    description:
      "Whether to repair the store after an unclean shutdown. berth's store is consistent after every write and is swept at start.",
  }),
  cleanShutdownFile: text("clean_shutdown_file", {
    default: "",
    check: absolutePathOrEmpty,
    status: "accepted",
    description: "File that marks a clean shutdown. berth does not need one.",
  }),
});

import { FakeStorage } from "./fake.ts";
import { storageSuite } from "./suite.ts";

storageSuite("the fake", async () => {
  const storage = new FakeStorage();
  return { storage, [Symbol.asyncDispose]: () => storage.close() };
});

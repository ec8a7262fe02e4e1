import { storageSuite } from "#drivers/storage/suite.ts";
import { StorageFixture } from "../support/storage.ts";

storageSuite("the storage on disk", () => StorageFixture.open());

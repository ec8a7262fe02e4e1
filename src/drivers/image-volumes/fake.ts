import path from "node:path";
import { DomainError } from "#errors/domain-error.ts";
import type { BoundFilesOptions, ImageVolumes, VolumeFile } from "./index.ts";

/** Image volumes in memory, for domain tests: paths that do not exist. Sub paths in `missing` are not found. */
export class FakeImageVolumes implements ImageVolumes {
  readonly made = new Map<string, string[]>();
  readonly files = new Map<string, readonly VolumeFile[]>();
  readonly options = new Map<string, BoundFilesOptions>();
  readonly missing = new Set<string>();

  async mountPoint(containerId: string, volume: number): Promise<string> {
    return this.#make(containerId, volume, "content");
  }

  async bindFiles(
    containerId: string,
    volume: number,
    files: readonly VolumeFile[],
    options: BoundFilesOptions = {},
  ): Promise<string> {
    const place = this.#make(containerId, volume, "content");
    await options.label?.(place);
    this.options.set(place, options);
    this.files.set(place, files);
    return place;
  }

  async bindSubPath(containerId: string, volume: number, _content: string, subPath: string): Promise<string> {
    if (this.missing.has(subPath))
      throw new DomainError("not-found", `sub path ${JSON.stringify(subPath)} does not exist in it`);
    return this.#make(containerId, volume, "sub");
  }

  scratchPath(containerId: string, volume: number): string {
    return path.join("/fake/image-volumes", containerId, String(volume), "scratch");
  }

  async makeScratch(containerId: string, volume: number): Promise<void> {
    this.#make(containerId, volume, "scratch");
  }

  async remove(containerId: string): Promise<void> {
    this.made.delete(containerId);
  }

  async ids(): Promise<string[]> {
    return [...this.made.keys()];
  }

  #make(containerId: string, volume: number, name: string): string {
    const place = path.join("/fake/image-volumes", containerId, String(volume), name);
    this.made.set(containerId, [...(this.made.get(containerId) ?? []), place]);
    return place;
  }
}

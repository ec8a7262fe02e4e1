import { copyFileSync, mkdirSync, statSync } from "node:fs";
import path from "node:path";

/** The parts of an OCI configuration that have to differ between two containers. */
export interface OciConfiguration {
  root: { path: string; readonly?: boolean };
  mounts?: { destination: string; type?: string; source?: string; options?: string[] }[];
  hostname?: string;
  hooks?: object;
  linux: { cgroupsPath?: string; namespaces: { type: string; path?: string }[] };
}

export interface FloorContainer {
  id: string;
  rootfs: string;
  netns: string;
  cgroupParent: string;
}

/**
 * A daemon's own configuration of a container, made independent of the daemon: files that it mounts from its folders are copied
 * below `folder`, once.
 */
export function independentTemplate(spec: OciConfiguration, folder: string): OciConfiguration {
  mkdirSync(folder, { recursive: true });
  const mounts = (spec.mounts ?? []).map((mount, index) => {
    if (mount.source === undefined || !mount.source.startsWith("/")) return mount;
    const copy = path.join(folder, String(index));
    if (statSync(mount.source).isDirectory()) mkdirSync(copy);
    else copyFileSync(mount.source, copy);
    return { ...mount, source: copy };
  });
  const { hooks: _, ...rest } = spec;
  return { ...rest, mounts };
}

/** The configuration of one container of the floor. Its pod is only a network namespace: what others share, it has for itself. */
export function floorSpec(template: OciConfiguration, container: FloorContainer): OciConfiguration {
  return {
    ...template,
    root: { ...template.root, path: container.rootfs },
    linux: {
      ...template.linux,
      cgroupsPath: path.join(container.cgroupParent, container.id),
      namespaces: template.linux.namespaces.map(({ type, path: place }) => {
        if (type === "network") return { type, path: container.netns };
        return place === undefined || place === "" ? { type } : { type };
      }),
    },
  };
}

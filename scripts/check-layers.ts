// Checks layers.json against every import in src/: who may import whom, modules that only some may import, and no cycle
// between files. Prints one line per violation with what to do instead; exit status 1 when there is any.
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";

type Layer = { from: string; may: string[]; instead: string };
type ModuleRule = { modules: string[]; only: string[]; instead: string };
type Rules = { base: string[]; layers: Layer[]; modules: ModuleRule[] };
type Import = { file: string; target: string; typeOnly: boolean };

const root = path.resolve(import.meta.dirname, "..");
const source = path.join(root, "src");
const rules = JSON.parse(readFileSync(path.join(root, "layers.json"), "utf8")) as Rules;

function sourceFiles(): string[] {
  return readdirSync(source, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".ts"));
}

function importsOf(file: string): Import[] {
  const text = readFileSync(path.join(source, file), "utf8");
  const statements = text.matchAll(/^(?:import|export)\s+(type\s)?(?:[^;'"]*?\sfrom\s+)?["']([^"']+)["']/gm);
  const dynamic = text.matchAll(/(?:import\(|new URL\()\s*["']([^"']+\.ts|node:[^"']+|koffi)["']/g);
  const found = [...statements].map((match) => ({ specifier: match[2] ?? "", typeOnly: match[1] !== undefined }));
  for (const match of dynamic) found.push({ specifier: match[1] ?? "", typeOnly: false });
  return found.map(({ specifier, typeOnly }) => ({ file, target: resolve(file, specifier), typeOnly }));
}

/** Path below src/ for our own files, the bare specifier for anything else. */
function resolve(file: string, specifier: string): string {
  if (specifier.startsWith("#")) return specifier.slice(1);
  if (specifier.startsWith(".")) return path.join(path.dirname(file), specifier);
  return specifier;
}

function within(file: string, place: string): boolean {
  return file === place || file.startsWith(`${place}/`);
}

function layerOf(file: string): Layer | undefined {
  return rules.layers.find((layer) =>
    layer.from.endsWith("/*") ? file.startsWith(layer.from.slice(0, -1)) : within(file, layer.from),
  );
}

/** The folder that a file belongs to for "may import itself": `drivers/cni`, `domain/pod`, `kernel`. */
function homeOf(file: string): string {
  const [first = "", second = ""] = file.split("/");
  return first === "drivers" || first === "domain" ? `${first}/${second}` : first;
}

function allowedModule(rule: ModuleRule, { file, typeOnly }: Import): boolean {
  return rule.only.some((place) => (place === "types:" ? typeOnly : within(file, place)));
}

function allowed(layer: Layer, { file, target, typeOnly }: Import): boolean {
  if (within(target, homeOf(file))) return true;
  return layer.may.some((entry) => {
    if (entry === "base") return rules.base.some((place) => within(target, place));
    if (entry.startsWith("types:")) return typeOnly && within(target, entry.slice("types:".length));
    return within(target, entry);
  });
}

function layerViolations(imports: Import[], files: Set<string>): string[] {
  return imports.flatMap((one) => {
    if (/\.(test|suite|fake)\.ts$|\/fake\.ts$|\/suite\.ts$/.test(one.file)) return [];
    const rule = rules.modules.find(({ modules }) => modules.includes(one.target));
    if (rule !== undefined)
      return allowedModule(rule, one) ? [] : [`src/${one.file} imports ${one.target}: ${rule.instead}`];
    if (!files.has(one.target)) return [];
    const layer = layerOf(one.file);
    if (layer === undefined) return [`src/${one.file} is in no layer: add its folder to layers.json`];
    return allowed(layer, one) ? [] : [`src/${one.file} may not import src/${one.target}: ${layer.instead}`];
  });
}

function cycles(imports: Import[]): string[] {
  const edges = new Map<string, string[]>();
  for (const { file, target, typeOnly } of imports) {
    if (!typeOnly) edges.set(file, [...(edges.get(file) ?? []), target]);
  }
  const done = new Set<string>();
  const found: string[] = [];
  const walk = (file: string, trail: string[]): void => {
    if (trail.includes(file)) {
      found.push(
        `import cycle: ${[...trail.slice(trail.indexOf(file)), file].join(" -> ")}: move what both need into a third file`,
      );
      return;
    }
    if (done.has(file)) return;
    for (const next of edges.get(file) ?? []) walk(next, [...trail, file]);
    done.add(file);
  };
  for (const file of edges.keys()) walk(file, []);
  return found;
}

const files = sourceFiles();
const imports = files.flatMap(importsOf);
const violations = [...layerViolations(imports, new Set(files)), ...cycles(imports)];
for (const violation of violations) console.error(violation);
console.log(`layers: ${files.length} files, ${imports.length} imports, ${violations.length} violations`);
process.exitCode = violations.length === 0 ? 0 : 1;

/** `registry/repository`, as names of images begin. */
export function repositoryName({ registry, repository }: { registry: string; repository: string }): string {
  return `${registry}/${repository}`;
}

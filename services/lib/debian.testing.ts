/** Programs that tests need: Debian's packages, installed when they are missing. */

/** The path of a program. Installs its package where that is possible: on Debian, as root or by `sudo`. */
export function program(name: string, debianPackage: string, places: readonly string[] = []): string {
  const find = (): string | null => {
    const known = places.flatMap((place) => [
      ...new Bun.Glob(`${place}/${name}`).scanSync({ cwd: "/", absolute: true }),
    ]);
    return Bun.which(name) ?? known.sort().at(-1) ?? null;
  };
  const found = find();
  if (found !== null) return found;
  install(debianPackage);
  return find() ?? missing(name, debianPackage);
}

function install(debianPackage: string): void {
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  const apt = process.getuid?.() === 0 ? ["apt-get"] : ["sudo", "--non-interactive", "apt-get"];
  for (const words of [["update"], ["install", "--yes", "--no-install-recommends", debianPackage]]) {
    const { exitCode, stderr } = Bun.spawnSync([...apt, "-qq", "-o", "Acquire::Retries=3", ...words], {
      env,
      stdout: "ignore",
    });
    if (exitCode !== 0) throw new Error(`apt-get ${words.join(" ")} failed: ${stderr}`);
  }
}

function missing(name: string, debianPackage: string): never {
  throw new Error(`\`${name}\` was not found: install ${debianPackage}`);
}

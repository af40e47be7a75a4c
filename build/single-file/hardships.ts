/**
 * Where executables have to run as well: as another user, where the temporary folder may not hold programs, where the
 * system refuses files in memory, in a root with next to nothing in it, without /proc. Each is a command to put before
 * another, or the reason why it cannot be had on this machine.
 */
import { copyFileSync, mkdirSync } from "node:fs";
import { dirname, join } from "node:path";

/** Words to put before a command. */
export type Prefix = readonly string[];

/** A user that owns nothing. */
const NOBODY = 65534;

/** A prefix, or the reason why there is none. */
export type Hardship = Prefix | string;

/** One behind the other. */
export function both(outer: Hardship, inner: Hardship): Hardship {
  if (typeof outer === "string") return outer;
  return typeof inner === "string" ? inner : [...outer, ...inner];
}

export function asNobody(): Hardship {
  const command = ["setpriv", `--reuid=${NOBODY}`, `--regid=${NOBODY}`, "--clear-groups"];
  return process.getuid?.() === 0 ? works(command) : "only root can become another user";
}

/** With a file system of its own on a folder, from which nothing can be executed. */
export function noExec(folder: string): Hardship {
  return inNamespace(`mount -t tmpfs -o noexec none '${folder}'`);
}

/** With an empty /proc. */
export function withoutProc(): Hardship {
  return inNamespace("mount -t tmpfs none /proc");
}

/**
 * In a root of its own, like a container made from nothing: there is /proc, and the C library in as many files as these
 * programs are linked with.
 */
export function inEmptyRoot(root: string, programs: readonly string[]): Hardship {
  for (const file of new Set(programs.flatMap(linkedWith))) {
    mkdirSync(join(root, dirname(file)), { recursive: true });
    copyFileSync(file, join(root, file));
  }
  mkdirSync(join(root, "proc"));
  return both(inNamespace(`mount -t proc proc '${root}/proc'`), ["chroot", root]);
}

/** The files that the system's loader brings along. */
function linkedWith(program: string): string[] {
  const { stdout } = Bun.spawnSync(["ldd", program], { stdout: "pipe", stderr: "inherit" });
  return [...stdout.toString().matchAll(/(\/\S+) \(0x/g)].map(([, file = ""]) => file);
}

/** With mounts of its own. A user who is not root gets them together with ids of his own. */
function inNamespace(preparation: string): Hardship {
  const unshare = process.getuid?.() === 0 ? ["unshare", "-m"] : ["unshare", "-rm"];
  return works([...unshare, "sh", "-c", `${preparation} && exec "$@"`, "sh"]);
}

/** Where `memfd_create` is refused, as by a strict container: a filter of system calls, compiled here. */
export function withoutMemoryFiles(folder: string): Hardship {
  if (process.platform !== "linux" || process.arch !== "x64") return "the filter is written for Linux on x64";
  const program = join(folder, "without-memory-files");
  const compiler = Bun.spawnSync(["cc", "-x", "c", "-o", program, "-"], { stdin: Buffer.from(FILTER), stderr: "pipe" });
  return compiler.exitCode === 0 ? works([program]) : `cc failed: ${compiler.stderr}`;
}

const FILTER = `
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

int main(int count, char **words) {
  struct sock_filter filter[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_memfd_create, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  struct sock_fprog program = {sizeof filter / sizeof *filter, filter};
  if (count < 2 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program)) {
    perror("seccomp");
    return 1;
  }
  execvp(words[1], words + 1);
  perror(words[1]);
  return 1;
}
`;

/** The prefix, if a command does run behind it. */
function works(prefix: Prefix): Hardship {
  try {
    const { exitCode, stderr } = Bun.spawnSync([...prefix, "true"], {
      stdin: "ignore",
      stdout: "ignore",
      stderr: "pipe",
    });
    return exitCode === 0 ? prefix : `${prefix.slice(0, 3).join(" ")}: ${stderr.toString().trim()}`;
  } catch (error) {
    return (error as Error).message;
  }
}

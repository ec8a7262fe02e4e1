import type { OciSeccompAction } from "#spec/oci-runtime.ts";
import type { ProfileCondition, ProfileRule, SeccompProfile } from "./seccomp-profile.ts";

const EPERM = 1;
const EINVAL = 22;
const ENOSYS = 38;

/** CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID and NEWNET of clone(2). */
const namespaceFlags = 0x7e02_0000;

const allow: OciSeccompAction = "SCMP_ACT_ALLOW";

function words(text: string): string[] {
  return text.split(/\s+/).filter((word) => word !== "");
}

/** Harmless in any container, because the kernel checks permissions or they concern only the caller. */
const allowedSyscalls = words(`
  read readv pread64 preadv preadv2 write writev pwrite64 pwritev pwritev2 lseek _llseek
  open openat openat2 creat close close_range dup dup2 dup3 fcntl fcntl64 flock ioctl
  stat stat64 lstat lstat64 fstat fstat64 newfstatat fstatat64 statx statfs statfs64 fstatfs fstatfs64 statmount listmount
  access faccessat faccessat2 chmod fchmod fchmodat fchmodat2 chown chown32 fchown fchown32 fchownat lchown lchown32 umask
  link linkat symlink symlinkat unlink unlinkat rename renameat renameat2 readlink readlinkat mkdir mkdirat rmdir
  mknod mknodat readdir getdents getdents64 getcwd chdir fchdir truncate truncate64 ftruncate ftruncate64 fallocate
  utime utimes utimensat utimensat_time64 futimesat
  getxattr getxattrat lgetxattr fgetxattr listxattr listxattrat llistxattr flistxattr
  setxattr setxattrat lsetxattr fsetxattr removexattr removexattrat lremovexattr fremovexattr
  sync syncfs fsync fdatasync sync_file_range sync_file_range2 fadvise64 fadvise64_64 readahead
  copy_file_range sendfile sendfile64 splice tee name_to_handle_at cachestat file_getattr file_setattr
  inotify_init inotify_init1 inotify_add_watch inotify_rm_watch fanotify_mark
  poll ppoll ppoll_time64 select _newselect pselect6 pselect6_time64
  epoll_create epoll_create1 epoll_ctl epoll_ctl_old epoll_wait epoll_wait_old epoll_pwait epoll_pwait2
  eventfd eventfd2 signalfd signalfd4 pipe pipe2
  io_setup io_destroy io_submit io_cancel io_getevents
  brk mmap mmap2 munmap mremap mprotect madvise mincore msync mlock mlock2 mlockall munlock munlockall mseal map_shadow_stack
  memfd_create memfd_secret remap_file_pages membarrier pkey_alloc pkey_free pkey_mprotect process_mrelease
  execve execveat exit exit_group fork vfork wait4 waitid waitpid
  getpid getppid gettid getpgid getpgrp getsid setpgid setsid set_tid_address set_robust_list get_robust_list rseq
  set_thread_area get_thread_area prctl seccomp landlock_create_ruleset landlock_add_rule landlock_restrict_self
  lsm_get_self_attr lsm_set_self_attr lsm_list_modules
  getuid getuid32 geteuid geteuid32 getgid getgid32 getegid getegid32 getgroups getgroups32
  getresuid getresuid32 getresgid getresgid32 setuid setuid32 setgid setgid32 setreuid setreuid32 setregid setregid32
  setresuid setresuid32 setresgid setresgid32 setfsuid setfsuid32 setfsgid setfsgid32 setgroups setgroups32 capget capset
  kill tkill tgkill pause alarm restart_syscall rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn
  rt_sigsuspend rt_sigtimedwait rt_sigtimedwait_time64 rt_tgsigqueueinfo sigaltstack sigreturn sigprocmask sigaction
  sigpending sigsuspend signal uretprobe
  pidfd_open pidfd_send_signal pidfd_getfd
  futex futex_time64 futex_waitv futex_wait futex_wake futex_requeue
  sched_yield sched_getaffinity sched_setaffinity sched_getattr sched_setattr sched_getparam sched_setparam
  sched_getscheduler sched_setscheduler sched_get_priority_max sched_get_priority_min sched_rr_get_interval
  sched_rr_get_interval_time64 getpriority setpriority nice ioprio_get ioprio_set getcpu
  getrlimit ugetrlimit setrlimit prlimit64 getrusage sysinfo uname times getrandom
  time gettimeofday clock_gettime clock_gettime64 clock_getres clock_getres_time64 clock_nanosleep clock_nanosleep_time64
  nanosleep adjtimex clock_adjtime clock_adjtime64 getitimer setitimer
  timer_create timer_delete timer_getoverrun timer_gettime timer_gettime64 timer_settime timer_settime64
  timerfd_create timerfd_gettime timerfd_gettime64 timerfd_settime timerfd_settime64
  socketpair socketcall bind connect listen accept accept4 shutdown getsockname getpeername getsockopt setsockopt
  send sendto sendmsg sendmmsg recv recvfrom recvmsg recvmmsg recvmmsg_time64
  ipc semget semop semctl semtimedop semtimedop_time64 shmget shmat shmdt shmctl msgget msgsnd msgrcv msgctl
  mq_open mq_unlink mq_notify mq_getsetattr mq_timedreceive mq_timedreceive_time64 mq_timedsend mq_timedsend_time64
  keyctl ptrace
`);

/** Known and refused with EPERM, the answer programs expect, where others get ENOSYS and fall back. */
const refusedSyscalls = words(`
  add_key request_key bdflush io_pgetevents io_pgetevents_time64 io_uring_setup io_uring_enter io_uring_register
  kexec_load kexec_file_load migrate_pages move_pages nfsservctl pciconfig_iobase pciconfig_read pciconfig_write
  sgetmask ssetmask swapon swapoff swapcontext sysfs _sysctl uselib userfaultfd ustat vm86 vm86old vmsplice pivot_root
  oldfstat oldlstat oldstat olduname oldolduname
`);

/** Allowed with one of the capabilities, else refused with EPERM. */
const byCapability: readonly { caps: string[]; names: string[] }[] = [
  {
    caps: ["CAP_SYS_ADMIN"],
    names: words(`
      fanotify_init fsconfig fsmount fsopen fspick lookup_dcookie mount mount_setattr move_mount open_tree open_tree_attr
      quotactl quotactl_fd setdomainname sethostname setns umount umount2 unshare`),
  },
  { caps: ["CAP_SYS_ADMIN", "CAP_BPF"], names: ["bpf"] },
  { caps: ["CAP_SYS_ADMIN", "CAP_PERFMON"], names: ["perf_event_open"] },
  { caps: ["CAP_SYS_ADMIN", "CAP_SYSLOG"], names: ["syslog"] },
  { caps: ["CAP_DAC_READ_SEARCH"], names: ["open_by_handle_at"] },
  { caps: ["CAP_SYS_BOOT"], names: ["reboot"] },
  { caps: ["CAP_SYS_CHROOT"], names: ["chroot"] },
  { caps: ["CAP_SYS_MODULE"], names: words("delete_module init_module finit_module query_module create_module") },
  { caps: ["CAP_SYS_NICE"], names: words("get_mempolicy mbind set_mempolicy set_mempolicy_home_node") },
  { caps: ["CAP_SYS_PACCT"], names: ["acct"] },
  { caps: ["CAP_SYS_PTRACE"], names: words("kcmp process_madvise process_vm_readv process_vm_writev") },
  { caps: ["CAP_SYS_RAWIO"], names: words("iopl ioperm") },
  { caps: ["CAP_SYS_TIME"], names: words("settimeofday stime clock_settime clock_settime64") },
  { caps: ["CAP_SYS_TTY_CONFIG"], names: ["vhangup"] },
];

const byArchitecture: readonly { arches: string[]; names: string[] }[] = [
  { arches: ["amd64"], names: words("arch_prctl modify_ldt") },
  { arches: ["arm64"], names: words("arm_fadvise64_64 arm_sync_file_range breakpoint cacheflush set_tls") },
  { arches: ["s390x"], names: words("s390_pci_mmio_read s390_pci_mmio_write s390_runtime_instr") },
  { arches: ["riscv64"], names: words("riscv_flush_icache riscv_hwprobe") },
];

/** Linux, 32-bit Linux, UNAME26 and both, and the query, of personality(2). Others switch off address randomisation. */
const harmlessPersonalities = [0x0, 0x8, 0x2_0000, 0x2_0008, 0xffff_ffff];

function conditional(names: string[], caps: string[]): ProfileRule[] {
  const grants: ProfileRule[] = caps.map((cap) => ({ names, action: allow, includes: { caps: [cap] } }));
  return [...grants, { names, action: "SCMP_ACT_ERRNO", errnoRet: EPERM, excludes: { caps } }];
}

/** New namespaces open kernel code that a container without CAP_SYS_ADMIN has no business in. */
function cloneRules(): ProfileRule[] {
  const admin: ProfileCondition = { caps: ["CAP_SYS_ADMIN"] };
  const noNamespaceIn = (index: number): ProfileRule => ({
    names: ["clone"],
    action: allow,
    args: [{ index, value: namespaceFlags, valueTwo: 0, op: "SCMP_CMP_MASKED_EQ" }],
  });
  return [
    { names: ["clone", "clone3"], action: allow, includes: admin },
    { ...noNamespaceIn(0), excludes: { ...admin, arches: ["s390x"] } },
    // On s390 the first two arguments have changed places.
    { ...noNamespaceIn(1), includes: { arches: ["s390x"] }, excludes: admin },
    // A filter cannot look into clone3's structure; ENOSYS makes libraries use clone.
    { names: ["clone3"], action: "SCMP_ACT_ERRNO", errnoRet: ENOSYS, excludes: admin },
  ];
}

/** Netlink's audit protocol answers EINVAL where it is missing; programs such as sudo go on without it then. */
function socketRules(): ProfileRule[] {
  const afNetlink = 16;
  const netlinkAudit = 9;
  const audit: ProfileCondition = { caps: ["CAP_AUDIT_WRITE"] };
  const socket = { names: ["socket"], action: allow };
  return [
    { ...socket, includes: audit },
    { ...socket, args: [{ index: 0, value: afNetlink, op: "SCMP_CMP_NE" }], excludes: audit },
    { ...socket, args: [{ index: 2, value: netlinkAudit, op: "SCMP_CMP_NE" }], excludes: audit },
    {
      names: ["socket"],
      action: "SCMP_ACT_ERRNO",
      errnoRet: EINVAL,
      args: [
        { index: 0, value: afNetlink, op: "SCMP_CMP_EQ" },
        { index: 2, value: netlinkAudit, op: "SCMP_CMP_EQ" },
      ],
      excludes: audit,
    },
  ];
}

/**
 * The filter of `RuntimeDefault`. What it does not name is answered with ENOSYS, so that a C library newer than this list
 * falls back to older calls.
 */
export const defaultSeccompProfile: SeccompProfile = {
  defaultAction: "SCMP_ACT_ERRNO",
  defaultErrnoRet: ENOSYS,
  archMap: [
    { architecture: "SCMP_ARCH_X86_64", subArchitectures: ["SCMP_ARCH_X86", "SCMP_ARCH_X32"] },
    { architecture: "SCMP_ARCH_AARCH64", subArchitectures: ["SCMP_ARCH_ARM"] },
    { architecture: "SCMP_ARCH_S390X", subArchitectures: ["SCMP_ARCH_S390"] },
  ],
  syscalls: [
    { names: allowedSyscalls, action: allow },
    { names: refusedSyscalls, action: "SCMP_ACT_ERRNO", errnoRet: EPERM },
    ...byCapability.flatMap(({ names, caps }) => conditional(names, caps)),
    ...byArchitecture.map(({ names, arches }) => ({ names, action: allow, includes: { arches } })),
    ...cloneRules(),
    ...socketRules(),
    ...harmlessPersonalities.map((value) => ({
      names: ["personality"],
      action: allow,
      args: [{ index: 0, value, op: "SCMP_CMP_EQ" as const }],
    })),
  ],
};

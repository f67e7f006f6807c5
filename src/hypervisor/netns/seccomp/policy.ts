import { callNumbers, type Processor } from './call-numbers.ts';

/** What becomes of a call: it is made, or fails with that errno (errno(3)). */
export type Verdict = 'allow' | number;

/** A call that goes by one of its arguments, of which the lower 32 bits count. */
export interface Rule {
  readonly call: number;
  /** Number of the argument, from 0. */
  readonly argument: number;
  /** Bits of it that count. */
  readonly mask: number;
  readonly values: readonly number[];
  /** For one of the values. */
  readonly among: Verdict;
  /** For any other. */
  readonly otherwise: Verdict;
}

/** What a process may ask of the kernel. */
export interface Policy {
  /** AUDIT_ARCH_… of linux/audit.h: numbers mean something else elsewhere, as for 32-bit programs. */
  readonly architecture: number;
  /** Numbers of calls that are made. Those in `rules` are not among them. */
  readonly allowed: ReadonlySet<number>;
  readonly rules: readonly Rule[];
  /** The highest number that is known: beyond are newer calls, and those of x32. */
  readonly newest: number;
}

/** Errnos of refusals. */
export const errnos = { EPERM: 1, ENOSYS: 38, EAFNOSUPPORT: 97 } as const;

/**
 * Calls that every guest may make. The rest is what container engines refuse by default too: what changes the machine, what is not divided by namespaces (keys, time, swap),
 * what makes new namespaces, and what has often been a way into the kernel.
 */
const allowed = words(`
  accept accept4 access adjtimex alarm arch_prctl bind brk cachestat capget capset chdir chmod chown clock_adjtime clock_getres clock_gettime clock_nanosleep close
  close_range connect copy_file_range creat dup dup2 dup3 epoll_create epoll_create1 epoll_ctl epoll_ctl_old epoll_pwait epoll_pwait2 epoll_wait epoll_wait_old
  eventfd eventfd2 execve execveat exit exit_group faccessat faccessat2 fadvise64 fallocate fanotify_mark fchdir fchmod fchmodat fchmodat2 fchown fchownat fcntl
  fdatasync fgetxattr file_getattr file_setattr flistxattr flock fork fremovexattr fsetxattr fstat fstatfs fsync ftruncate futex futex_requeue futex_wait futex_waitv
  futex_wake futimesat get_robust_list get_thread_area getcpu getcwd getdents getdents64 getegid geteuid getgid getgroups getitimer getpeername getpgid getpgrp getpid
  getppid getpriority getrandom getresgid getresuid getrlimit getrusage getsid getsockname getsockopt gettid gettimeofday getuid getxattr getxattrat inotify_add_watch
  inotify_init inotify_init1 inotify_rm_watch io_cancel io_destroy io_getevents io_pgetevents io_setup io_submit ioprio_get ioprio_set kill landlock_add_rule
  landlock_create_ruleset landlock_restrict_self lchown lgetxattr link linkat listen listxattr listxattrat llistxattr lremovexattr lseek lsetxattr lstat madvise
  map_shadow_stack membarrier memfd_create memfd_secret mincore mkdir mkdirat mknod mknodat mlock mlock2 mlockall mmap modify_ldt mprotect mq_getsetattr mq_notify
  mq_open mq_timedreceive mq_timedsend mq_unlink mremap mseal msgctl msgget msgrcv msgsnd msync munlock munlockall munmap name_to_handle_at nanosleep newfstatat open
  openat openat2 pause pidfd_open pidfd_send_signal pipe pipe2 pkey_alloc pkey_free pkey_mprotect poll ppoll prctl pread64 preadv preadv2 prlimit64 process_mrelease
  process_vm_readv process_vm_writev pselect6 ptrace pwrite64 pwritev pwritev2 read readahead readlink readlinkat readv recvfrom recvmmsg recvmsg remap_file_pages
  removexattr removexattrat rename renameat renameat2 restart_syscall rmdir rseq rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend
  rt_sigtimedwait rt_tgsigqueueinfo sched_get_priority_max sched_get_priority_min sched_getaffinity sched_getattr sched_getparam sched_getscheduler
  sched_rr_get_interval sched_setaffinity sched_setattr sched_setparam sched_setscheduler sched_yield seccomp select semctl semget semop semtimedop sendfile sendmmsg
  sendmsg sendto set_robust_list set_thread_area set_tid_address setfsgid setfsuid setgid setgroups setitimer setpgid setpriority setregid setresgid setresuid
  setreuid setrlimit setsid setsockopt setuid setxattr setxattrat shmat shmctl shmdt shmget shutdown sigaltstack signalfd signalfd4 socketpair splice stat statfs
  statx symlink symlinkat sync sync_file_range syncfs sysinfo tee tgkill time timer_create timer_delete timer_getoverrun timer_gettime timer_settime timerfd_create
  timerfd_gettime timerfd_settime times tkill truncate umask uname unlink unlinkat utime utimensat utimes vfork vmsplice wait4 waitid write writev
`);

/** What a capability adds. */
const additions: Readonly<Record<string, readonly string[]>> = {
  bpf: ['bpf'],
  dac_read_search: ['open_by_handle_at'],
  perfmon: ['perf_event_open'],
  sys_admin: words(`
    bpf fanotify_init fsconfig fsmount fsopen fspick listmount lookup_dcookie mount mount_setattr move_mount open_tree open_tree_attr perf_event_open quotactl quotactl_fd
    setdomainname sethostname setns statmount syslog umount2 unshare clone clone3
  `),
  sys_boot: ['reboot'],
  sys_chroot: ['chroot'],
  sys_module: words('delete_module finit_module init_module'),
  sys_nice: words('get_mempolicy mbind set_mempolicy set_mempolicy_home_node'),
  sys_pacct: ['acct'],
  sys_ptrace: words('kcmp pidfd_getfd process_madvise'),
  sys_rawio: words('ioperm iopl'),
  sys_time: words('clock_settime settimeofday'),
  sys_tty_config: ['vhangup'],
  syslog: ['syslog'],
};

const namespaceFlags = 0x7e02_0000; // CLONE_NEW… of linux/sched.h
const anyBits = 0xffff_ffff;

/** Calls that are more than one thing. */
const byArgument: Readonly<Record<string, Omit<Rule, 'call'>>> = {
  clone: { argument: 0, mask: namespaceFlags, values: [0], among: 'allow', otherwise: errnos.EPERM },
  // Its flags are in memory, which a filter cannot see. The C library goes on to clone.
  clone3: { argument: 0, mask: anyBits, values: [], among: 'allow', otherwise: errnos.ENOSYS },
  // TIOCSTI and TIOCLINUX put keystrokes into a terminal.
  ioctl: { argument: 1, mask: anyBits, values: [0x5412, 0x541c], among: errnos.EPERM, otherwise: 'allow' },
  // Those of Linux and of 32-bit programs; UNAME26; and the question which one it is.
  personality: { argument: 0, mask: anyBits, values: [0, 8, 0x2_0000, 0x2_0008, anyBits], among: 'allow', otherwise: errnos.EPERM },
  // AF_VSOCK leads to the machine's own hypervisor, AF_ALG into the kernel's ciphers: no network namespace bounds them.
  socket: { argument: 0, mask: anyBits, values: [38, 40], among: errnos.EAFNOSUPPORT, otherwise: 'allow' },
};

/** The policy of guests that have these capabilities, lower case and without CAP_. */
export function policyFor(capabilities: ReadonlySet<string>, processor: Processor): Policy {
  const numbers = callNumbers(processor);
  const numberOf = (name: string): number[] => [numbers.get(name) ?? []].flat(); // some processors lack some calls
  const added = [...capabilities].flatMap((capability) => additions[capability] ?? []);
  const rules = Object.entries(byArgument).filter(([name]) => !added.includes(name));
  return {
    architecture: processor === 'x64' ? 0xc000_003e : 0xc000_00b7,
    allowed: new Set([...allowed, ...added].flatMap(numberOf)),
    rules: rules.flatMap(([name, rule]) => numberOf(name).map((call) => ({ ...rule, call }))),
    newest: Math.max(...numbers.values()),
  };
}

function words(text: string): string[] {
  return text.trim().split(/\s+/);
}

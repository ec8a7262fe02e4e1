// Contents of accounting files for tests, shortened: version 1 by the mount of its controllers, version 2 all in one.

export const recordedV1: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  "cpu,cpuacct": {
    "cpuacct.usage": "12345678901234567\n",
    "cpuacct.stat": "user 800\nsystem 250\n",
    "cpu.stat": "nr_periods 100\nnr_throttled 3\nthrottled_time 123456789\nnr_bursts 0\nburst_time 0\n",
  },
  memory: {
    "memory.usage_in_bytes": "50000000\n",
    "memory.max_usage_in_bytes": "60000000\n",
    "memory.failcnt": "5\n",
    "memory.kmem.usage_in_bytes": "777\n",
    "memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n",
    "memory.stat": `cache 1
rss 2
mapped_file 3
swap 0
pgfault 4
pgmajfault 5
inactive_file 6
hierarchical_memory_limit 134217728
hierarchical_memsw_limit 268435456
total_cache 33000000
total_rss 16000000
total_rss_huge 0
total_mapped_file 1000000
total_swap 4096
total_pgfault 4000
total_pgmajfault 11
total_inactive_anon 0
total_inactive_file 20000000
total_active_file 13000000
`,
  },
  blkio: {
    "blkio.throttle.io_service_bytes_recursive":
      "254:0 Read 8192\n254:0 Write 512\n254:0 Sync 8704\n254:0 Async 0\n254:0 Discard 0\n254:0 Total 8704\nTotal 8704\n",
    "blkio.throttle.io_serviced_recursive":
      "254:0 Read 2\n254:0 Write 1\n254:0 Sync 3\n254:0 Async 0\n254:0 Discard 0\n254:0 Total 3\nTotal 3\n",
  },
  pids: { "pids.current": "3\n", "pids.max": "100\n" },
  hugetlb: { "hugetlb.2MB.usage_in_bytes": "0\n", "hugetlb.2MB.max_usage_in_bytes": "2097152\n" },
};

export const recordedV2: Readonly<Record<string, string>> = {
  "cpu.stat": `usage_usec 9123456789
user_usec 7000000000
system_usec 2123456789
core_sched.force_idle_usec 0
nr_periods 500
nr_throttled 20
throttled_usec 1500000
nr_bursts 0
burst_usec 0
`,
  "cpu.pressure":
    "some avg10=0.50 avg60=1.25 avg300=0.13 total=16000000\nfull avg10=0.10 avg60=0.00 avg300=0.02 total=2000000\n",
  "memory.current": "104857600\n",
  "memory.max": "268435456\n",
  "memory.peak": "200000000\n",
  "memory.stat": `anon 52428800
file 41943040
kernel 6291456
kernel_stack 81920
pagetables 200704
file_mapped 4194304
file_dirty 0
inactive_anon 52424704
active_anon 4096
inactive_file 10485760
active_file 31457280
slab 4096000
pgfault 120000
pgmajfault 42
`,
  "memory.events": "low 0\nhigh 3\nmax 7\noom 1\noom_kill 1\noom_group_kill 0\n",
  "memory.swap.current": "8192\n",
  "memory.swap.max": "max\n",
  "memory.pressure":
    "some avg10=0.00 avg60=0.00 avg300=0.00 total=300\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=200\n",
  "io.pressure":
    "some avg10=0.00 avg60=0.00 avg300=0.00 total=1000\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=900\n",
  // The first device has nothing to tell and shares its line with the second, as some kernels print it.
  "io.stat": `8:0 8:16 rbytes=1048576 wbytes=4096 rios=12 wios=1 dbytes=0 dios=0
253:0 rbytes=20480 wbytes=0 rios=5 wios=0 dbytes=0 dios=0
`,
  "pids.current": "9\n",
  "pids.max": "max\n",
  "hugetlb.2MB.current": "4194304\n",
};

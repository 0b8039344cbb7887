# SPDX-License-Identifier: GPL-2.0-only
import array, fcntl, os, struct, sys

queue = os.open("/dev/knell", os.O_RDWR | os.O_CLOEXEC)
pid = os.posix_spawnp(sys.argv[1], sys.argv[1:], os.environ)
add = array.array("B", struct.pack("HHIIiQii96x", 1, 1, 0, 0, 0, 42, pid, 0))  # PROCESS, token 42
submit = struct.pack("QIIQIIQ", add.buffer_info()[0], 1, 0, 0, 0, 0, 0)
fcntl.ioctl(queue, 0xC028DA21, submit)
assert struct.unpack_from("i", add, 12) == (0,), "ADD was refused"
record = struct.unpack_from("HHIQQQii", os.read(queue, 128))  # sleeps until it is dead
pid, status = os.waitpid(record[6], 0)
print(f"pid {pid}, token {record[3]}: {os.waitstatus_to_exitcode(record[7])}")

"""The last step into a sandbox: enter.py ROOT WORK_DIRECTORY USER:GROUP REFUSED COMMAND...

Changes the root, the user (unless USER:GROUP is -) and the directory, and runs the command so that the kernel answers EPERM to each
system call in REFUSED, a list with commas; `kill:NAME` kills whoever makes the call instead. Written in Python, since every tool that
could load a filter makes a call that the filter refuses.
"""

import ctypes
import os
import struct
import sys

# Of x86-64.
CALLS = {
    "prctl": (157,),
    "memfd_create": (319,),
    "fallocate": (285,),
    "unshare": (272,),
    "ptrace": (101,),
    "process_vm_readv": (310,),
}
AUDIT_ARCH_X86_64 = 0xC000003E
PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 38, 22, 2
ALLOW, KILL, REFUSE = 0x7FFF0000, 0x80000000, 0x00050000 | 1  # EPERM
LOAD, EQUAL, RETURN = 0x20, 0x15, 0x06


def program(refused):
    """The filter: each instruction is an operation, two jumps and a value."""
    code = [(LOAD, 0, 0, 4), (EQUAL, 1, 0, AUDIT_ARCH_X86_64), (RETURN, 0, 0, ALLOW), (LOAD, 0, 0, 0)]
    for word in refused:
        kind, _, name = word.rpartition(":")
        for number in CALLS[name]:
            code += [(EQUAL, 0, 1, number), (RETURN, 0, 0, KILL if kind == "kill" else REFUSE)]
    return b"".join(struct.pack("HBBI", *one) for one in [*code, (RETURN, 0, 0, ALLOW)])


class Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("code", ctypes.c_char_p)]


def control(*arguments):
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(*arguments, *[0] * (5 - len(arguments))) != 0:
        raise OSError(ctypes.get_errno(), "prctl")


def main():
    root, directory, user, refused, *command = sys.argv[1:]
    code = program([word for word in refused.split(",") if word])
    os.chroot(root)
    os.chdir(directory)
    if user != "-":
        uid, gid = map(int, user.split(":"))
        os.setgroups([])
        os.setresgid(gid, gid, gid)
        os.setresuid(uid, uid, uid)
    control(PR_SET_NO_NEW_PRIVS, 1)
    control(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(Program(len(code) // 8, code)))
    os.execv(command[0], command)


main()

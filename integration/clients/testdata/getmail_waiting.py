"""Runs getmail with one fault of version 6.18 mended: python3 getmail_waiting.py GETMAIL ARGUMENTS

getmail starts a process for each message and installs its handler for the end of that process
only afterwards. A process that is faster than that is never noticed, and getmail hangs until
its timeout. Here it waits for the process itself. How it speaks POP3 is left as it is.
"""

import os
import runpy
import sys

from getmailcore import baseclasses


def wait_for_child(self, pid):
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


baseclasses.ForkingBase._prepare_child = lambda self: None
baseclasses.ForkingBase._wait_for_child = wait_for_child
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")

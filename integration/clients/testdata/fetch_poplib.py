"""Fetches a maildrop as programs written with Python's poplib do.

python3 fetch_poplib.py PORT plain|stls|tls CA-FILE USER OUT-FOLDER SEEN-FILE keep|remove LINE-LIMIT < password

Writes each message that SEEN-FILE does not name yet to a file in OUT-FOLDER, with CRLF.
"""

import os
import poplib
import ssl
import sys

port, security, ca, user, out, seen_file, afterwards, limit = sys.argv[1:]
password = sys.stdin.read()
if int(limit):
    poplib._MAXLINE = int(limit)

context = ssl.create_default_context(cafile=ca)
if security == "tls":
    server = poplib.POP3_SSL("localhost", int(port), context=context, timeout=60)
else:
    server = poplib.POP3("localhost", int(port), timeout=60)
if security == "stls":
    server.stls(context)
server.user(user)
server.pass_(password)

seen = set()
if os.path.exists(seen_file):
    seen = set(open(seen_file).read().split())
count, octets = server.stat()
sizes = [int(line.split()[1]) for line in server.list()[1]]
assert (count, octets) == (len(sizes), sum(sizes)), (count, octets, sizes)
for line in server.uidl()[1]:
    number, uidl = line.decode().split()
    if uidl not in seen:
        text = b"".join(line + b"\r\n" for line in server.retr(int(number))[1])
        assert len(text) == sizes[int(number) - 1], (number, len(text))
        with open(os.path.join(out, number), "wb") as f:
            f.write(text)
        seen.add(uidl)
    if afterwards == "remove":
        server.dele(int(number))
server.quit()
with open(seen_file, "w") as f:
    f.write("\n".join(sorted(seen)))

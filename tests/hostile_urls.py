"""URLs by which a caller might try to make Laneway call places that are not on the internet."""

HOSTILE = (
    # loopback and "this host", spelled as an address
    "https://127.0.0.1/", "https://127.0.0.1:8443/", "https://127.1.2.3/", "https://0.0.0.0/", "https://0.1.2.3/",
    "https://[::1]/", "https://[::]/", "https://[0:0:0:0:0:0:0:1]/", "https://[::ffff:127.0.0.1]/",
    "https://[::ffff:7f00:1]/", "https://[::127.0.0.1]/", "https://[64:ff9b::7f00:1]/", "https://[2002:7f00:1::]/",
    "https://[::ffff:0:127.0.0.1]/",
    # numbers that some parsers take for an address
    "https://2130706433/", "https://0x7f000001/", "https://017700000001/", "https://0177.0.0.1/", "https://0x7f.0.0.1/",
    "https://127.1/", "https://127.0.1/", "https://127.0.0.1./", "https://0/", "https://00000000177.0.0.1/",
    "https://127.0.0.0x1/",
    # private and special networks
    "https://10.0.0.1/", "https://172.16.0.1/", "https://172.31.255.255/", "https://192.168.1.1/",
    "https://100.64.0.1/", "https://198.18.0.1/", "https://192.0.0.192/", "https://224.0.0.1/",
    "https://255.255.255.255/", "https://[fc00::1]/", "https://[fe80::1]/", "https://[fe80::1%25eth0]/",
    "https://[fec0::1]/", "https://[ff02::1]/", "https://[2001:db8::1]/", "https://[2001::1]/",
    # metadata services
    "https://169.254.169.254/latest/meta-data/", "http://169.254.169.254/", "https://[fd00:ec2::254]/",
    "https://[::ffff:169.254.169.254]/", "https://metadata.google.internal/",
    # local names
    "https://localhost/", "https://localhost./", "https://LOCALHOST/", "https://a.localhost/", "https://printer.local/",
    "https://intranet/", "https://db/",
    # tricks of the notation
    "https://user@127.0.0.1/", "https://example.com@127.0.0.1/", "https://example.com:443@127.0.0.1/",
    "https://127.0.0.1#@example.com/", "https://127.0.0.1\\@example.com/", "https://example.com\\@127.0.0.1/",
    "https://127。0。0。1/", "https://①②⑦.0.0.1/", "https://ⓛocalhost/", "https://%31%32%37.0.0.1/",
    "https://exa mple.com/", "https://127.0.0.1\t/", "https://127.0.0.1\r\nhost: x/", "https:///127.0.0.1/",
    "https:/127.0.0.1/", "https:127.0.0.1", "//127.0.0.1/", "https://", "https://[::1", "https://:443/",
    # ports and schemes
    "https://example.com:22/", "https://example.com:6379/", "https://example.com:0/", "https://example.com:99999/",
    "https://example.com:4x3/", "https://example.com:/", "https://example.com:0443/", "http://example.com/",
    "ftp://example.com/", "file:///etc/passwd", "gopher://127.0.0.1:6379/_x", "javascript:alert(1)", "",
)  # fmt: skip
"""Refused when they are registered."""

TARGETS_AT_HAND = (
    "http://127.0.0.1:{port}/", "http://127.1:{port}/", "http://2130706433:{port}/", "http://0x7f000001:{port}/",
    "http://017700000001:{port}/", "http://[::1]:{port}/", "http://[::ffff:127.0.0.1]:{port}/",
    "http://0.0.0.0:{port}/", "http://localhost:{port}/", "http://localhost.:{port}/", "http://a@127.0.0.1:{port}/",
    "http://127.0.0.1:{port}\\@example.com/", "https://127.0.0.1:{port}/", "https://2130706433:{port}/",
    "https://localhost:{port}/",
)  # fmt: skip
"""Ways to spell a server on this machine; `{port}` is its port."""

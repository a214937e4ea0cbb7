"""Configuration files of the daemons, as text."""

from __future__ import annotations

from textwrap import dedent

from lab.topology import (
    EBGP_LINKS,
    INNER_ROUTERS,
    LINKS,
    LOGHOST_ADDRESS,
    OSPF_LINKS,
    OUTSIDE,
    VIRTUAL_ADDRESS,
    End,
    Host,
    interface_address,
    loopback,
    mac_of,
)

MARK_SECONDS = 20
LEAKED_PREFIX_LIMIT = 40
FAKETIME_RC = "/etc/faketimerc"
USERS = ("alice", "bob", "carol", "deploy")
APPLICATION_PORT = 8080


def collector() -> str:
    """syslog-ng of the collector: keeps each message as it was received."""
    return dedent("""\
        @version: 3.38
        options { use-dns(no); keep-hostname(yes); stats-freq(0); log-msg-size(65536);
                  create-dirs(no); time-zone("UTC"); };
        source s_udp { network(ip("0.0.0.0") port(514) transport("udp")
                       so-rcvbuf(16777216) flags(store-raw-message)); };
        source s_tcp { network(ip("0.0.0.0") port(514) transport("tcp") max-connections(64)
                       log-iw-size(6400) flags(store-raw-message)); };
        rewrite r_udp { set("udp" value(".lab.transport")); };
        rewrite r_tcp { set("tcp" value(".lab.transport")); };
        destination d_lines { file("/mnt/lines.log" flush-lines(1) log-fifo-size(1000000)
          template("${R_YEAR}-${R_MONTH}-${R_DAY}T${R_HOUR}:${R_MIN}:${R_SEC}.${R_USEC}Z\\t${SOURCEIP}\\t${.lab.transport}\\t${RAWMSG}\\n")); };
        log { source(s_udp); rewrite(r_udp); destination(d_lines); };
        log { source(s_tcp); rewrite(r_tcp); destination(d_lines); };
        """)  # noqa: E501


def forwarder(host: Host) -> str:
    """syslog-ng of a host: takes /dev/log and sends everything to the collector."""
    protocol = "flags(syslog-protocol) ts-format(iso) frac-digits(6)"
    form = protocol if host.format == "rfc5424" else "ts-format(rfc3164)"
    return dedent(f"""\
        @version: 3.38
        options {{ use-dns(no); use-fqdn(no); keep-hostname(no); chain-hostnames(no);
                  stats-freq(0); keep-timestamp(no); mark-freq({MARK_SECONDS});
                  time-reopen(2); }};
        source s_local {{ unix-dgram("/dev/log"); internal(); }};
        destination d_loghost {{ network("{LOGHOST_ADDRESS}" port(514)
          transport("{host.transport}") mark-mode("periodical") {form}); }};
        destination d_messages {{ file("/var/log/messages" mark-mode("none")); }};
        log {{ source(s_local); destination(d_loghost); }};
        log {{ source(s_local); destination(d_messages); }};
        """)


def frr_daemons() -> str:
    """/etc/frr/daemons."""
    return dedent("""\
        ospfd=yes
        bgpd=yes
        vtysh_enable=yes
        zebra_options="-A 127.0.0.1 -s 90000000"
        bgpd_options="-A 127.0.0.1"
        ospfd_options="-A 127.0.0.1"
        staticd_options="-A 127.0.0.1"
        """)


def _ends(router: str) -> list[tuple[End, End]]:
    """(own end, far end) of every cable of a router."""
    pairs = [(link.a, link.b) for link in LINKS] + [(link.b, link.a) for link in LINKS]
    return [(mine, far) for mine, far in pairs if mine.host == router]


def _bgp(router: str) -> list[str]:
    asn = 65002 if router == "r4" else 65001
    lines = [
        f"router bgp {asn}",
        f" bgp router-id {loopback(router)}",
        " bgp log-neighbor-changes",
        " no bgp ebgp-requires-policy",
        " no bgp network import-check",
        " timers bgp 3 9",
    ]
    networks: list[str] = []
    if router in INNER_ROUTERS:
        for other in (name for name in INNER_ROUTERS if name != router):
            lines += [
                f" neighbor {loopback(other)} remote-as 65001",
                f" neighbor {loopback(other)} update-source lo",
                f" neighbor {loopback(other)} timers connect 5",
            ]
    ebgp = {link.a for link in EBGP_LINKS} | {link.b for link in EBGP_LINKS}
    for mine, far in _ends(router):
        if mine in ebgp:
            far_asn = 65002 if far.host == "r4" else 65001
            lines += [
                f" neighbor {far.ip} remote-as {far_asn}",
                f" neighbor {far.ip} timers connect 5",
            ]
            networks = ["203.0.113.0/24", "198.51.100.0/24", "192.0.2.0/24"]
            if router != "r4":
                networks = ["10.1.0.0/24", "10.2.0.0/24"]
                lines.append(f" neighbor {far.ip} description provider")
    lines.append(" address-family ipv4 unicast")
    lines += [f"  network {network}" for network in networks]
    if router in INNER_ROUTERS:
        lines += [f"  neighbor {loopback(o)} next-hop-self" for o in INNER_ROUTERS if o != router]
    for mine, far in _ends(router):
        if mine in ebgp and router != "r4":
            lines.append(f"  neighbor {far.ip} maximum-prefix {LEAKED_PREFIX_LIMIT}")
    return [*lines, " exit-address-family", "exit"]


def frr(router: str) -> str:
    """/etc/frr/frr.conf of a router."""
    lines = [
        "frr version 8.4",
        "frr defaults traditional",
        f"hostname {router}",
        "log syslog informational",
        "service integrated-vtysh-config",
        f"interface lo\n ip address {loopback(router)}/32",
    ]
    if router in INNER_ROUTERS:
        lines[-1] += "\n ip ospf area 0"
    lines.append("exit")
    inner = {link.a for link in OSPF_LINKS} | {link.b for link in OSPF_LINKS}
    for mine, far in _ends(router):
        lines += [f"interface {mine.interface}", f" description to {far.host}"]
        if mine in inner:
            lines += [
                " ip ospf area 0",
                " ip ospf hello-interval 2",
                " ip ospf dead-interval 8",
                " ip ospf network point-to-point",
            ]
        lines.append("exit")
    lines += {
        "r1": ["ip route 10.1.0.0/24 10.0.111.2"],
        "r2": ["ip route 10.1.0.0/24 10.0.112.2"],
        "r3": ["ip route 10.2.0.0/24 10.0.103.2"],
        "r4": ["ip route 198.51.100.0/24 Null0", "ip route 192.0.2.0/24 Null0"],
    }[router]
    if router in INNER_ROUTERS:
        lines += [
            "router ospf",
            f" ospf router-id {loopback(router)}",
            " log-adjacency-changes detail",
            " timers throttle spf 50 200 1000",
            f" redistribute static metric {20 if router == 'r2' else 10}",
            "exit",
        ]
    return "\n".join([*lines, *_bgp(router)]) + "\n"


def keepalived(gateway: str) -> str:
    """keepalived.conf of one of the two gateways; gw1 is preferred."""
    first = gateway == "gw1"
    return dedent(f"""\
        global_defs {{
          router_id {gateway}
          vrrp_garp_master_delay 2
        }}
        vrrp_instance users {{
          state {"MASTER" if first else "BACKUP"}
          interface eth1
          virtual_router_id 51
          priority {150 if first else 100}
          advert_int 1
          track_interface {{
            eth2
          }}
          virtual_ipaddress {{
            {VIRTUAL_ADDRESS}/24
          }}
        }}
        """)


def nftables() -> str:
    """Rules of the firewall; what they log goes to ulogd through group 1."""
    srv, web, ntp = (interface_address(name, "dmz") for name in ("srv1", "web1", "ntp1"))
    return dedent(f"""\
        table inet filter {{
          chain forward {{
            type filter hook forward priority 0; policy drop;
            ct state established,related accept
            ct state invalid drop
            iifname "eth2" udp dport {{ 53, 123 }} accept
            iifname "eth2" log prefix "FW-ACCEPT-OUT " group 1 accept
            ip daddr {web} tcp dport {{ 80, 443 }} log prefix "FW-ACCEPT " group 1 accept
            ip daddr {srv} tcp dport 22 log prefix "FW-ACCEPT " group 1 accept
            ip saddr 10.1.0.0/24 ip daddr {web} tcp dport 22 log prefix "FW-ACCEPT " group 1 accept
            ip saddr 10.1.0.0/24 ip daddr {ntp} udp dport 123 accept
            ip protocol icmp limit rate 20/second accept
            log prefix "FW-DROP " group 1 drop
          }}
        }}
        """)


def ulogd() -> str:
    """ulogd.conf: packets of log group 1 become lines of syslog."""
    return dedent("""\
        [global]
        logfile="syslog"
        loglevel=3
        plugin="/usr/lib/x86_64-linux-gnu/ulogd/ulogd_inppkt_NFLOG.so"
        plugin="/usr/lib/x86_64-linux-gnu/ulogd/ulogd_raw2packet_BASE.so"
        plugin="/usr/lib/x86_64-linux-gnu/ulogd/ulogd_filter_IFINDEX.so"
        plugin="/usr/lib/x86_64-linux-gnu/ulogd/ulogd_filter_IP2STR.so"
        plugin="/usr/lib/x86_64-linux-gnu/ulogd/ulogd_filter_PRINTPKT.so"
        plugin="/usr/lib/x86_64-linux-gnu/ulogd/ulogd_output_SYSLOG.so"
        stack=log1:NFLOG,base1:BASE,ifi1:IFINDEX,ip2str1:IP2STR,print1:PRINTPKT,sys1:SYSLOG
        [log1]
        group=1
        [sys1]
        facility=LOG_LOCAL4
        """)


def dnsmasq() -> str:
    """Name and address server of the office network."""
    reservations = "\n".join(
        f"dhcp-host={mac_of(name)},{name},{interface_address(name, 'lan')}" for name in ("pc1", "pc2", "pc3")
    )
    upstream = interface_address(OUTSIDE, "ext")
    records = "\n".join(
        f"address=/{name}.corp.example/{interface_address(name, 'dmz')}" for name in ("srv1", "web1", "ntp1")
    )
    return (
        dedent(f"""\
        no-resolv
        no-hosts
        no-poll
        user=root
        interface=eth1
        bind-interfaces
        except-interface=lo
        server={upstream}
        cache-size=50
        log-queries
        log-dhcp
        log-facility=DAEMON
        dhcp-leasefile=/var/lib/misc/dnsmasq.leases
        dhcp-range=10.1.0.200,10.1.0.229,255.255.255.0,2m
        dhcp-authoritative
        dhcp-option=option:router,{VIRTUAL_ADDRESS}
        dhcp-option=option:dns-server,{interface_address("dns1", "lan")}
        domain=corp.example
        local=/corp.example/
        """)
        + reservations
        + "\n"
        + records
        + "\n"
    )


def outside_dnsmasq(refuse: bool = False) -> str:
    """The provider's name server: knows example.net, nothing else exists."""
    known = (
        ""
        if refuse
        else "address=/example.net/203.0.113.80\naddress=/example.net/2001:db8::80\nlocal=//\nlocal=/test/\n"
    )
    return (
        "no-resolv\nno-hosts\nuser=root\ninterface=eth1\nbind-interfaces\nport=53\n"
        "log-facility=/dev/null\nmin-port=1024\nlocal-ttl=5\nneg-ttl=5\npid-file=/run/dns.pid\n" + known
    )


def chrony(server: str | None, serve: bool = False) -> str:
    """chrony.conf; the clock itself is never set, chronyd runs with -x."""
    lines = [
        "driftfile /var/lib/chrony/chrony.drift",
        "pidfile /run/chronyd.pid",
        "bindcmdaddress /run/chrony/chronyd.sock",
        "cmdport 0",
        "logchange 0.2",
        "user root",
    ]
    if server is not None:
        lines.append(f"server {server} iburst minpoll 2 maxpoll 3")
    if serve:
        lines += ["allow", "local stratum 10" if server else "local stratum 1"]
    return "\n".join(lines) + "\n"


def nginx() -> str:
    """The web server: static pages, and an application behind /app/."""
    application = f"{interface_address('srv1', 'dmz')}:{APPLICATION_PORT}"
    return dedent(f"""\
        user www-data;
        worker_processes 1;
        pid /run/nginx.pid;
        error_log syslog:server=unix:/dev/log,nohostname notice;
        events {{ worker_connections 512; }}
        http {{
          include /etc/nginx/mime.types;
          log_format main '$remote_addr - $remote_user [$time_local] "$request" '
                          '$status $body_bytes_sent "$http_referer" "$http_user_agent"';
          access_log syslog:server=unix:/dev/log,nohostname main;
          proxy_cache_path /var/cache/nginx/app keys_zone=app:1m max_size=8m;
          proxy_temp_path /var/cache/nginx/temporary;
          client_body_temp_path /var/cache/nginx/body;
          client_body_buffer_size 1k;
          server {{
            listen 80 default_server;
            server_name web1.corp.example;
            root /var/www/lab;
            if_modified_since before;
            location = /old {{ return 301 /index.html; }}
            location /app/ {{
              proxy_pass http://{application}/;
              proxy_connect_timeout 2s;
              proxy_read_timeout 3s;
              proxy_cache app;
              proxy_cache_valid 200 3s;
            }}
            location /upload {{ client_max_body_size 2m; proxy_pass http://{application}/; }}
          }}
        }}
        """)


def sshd() -> str:
    """sshd_config."""
    return dedent("""\
        HostKey /etc/ssh/lab_host_key
        PidFile /run/sshd.pid
        UsePAM yes
        UseDNS no
        PasswordAuthentication yes
        KbdInteractiveAuthentication no
        PermitRootLogin prohibit-password
        MaxStartups 100
        LoginGraceTime 30
        AuthorizedKeysFile /etc/ssh/lab_keys/%u
        PrintMotd no
        """)


def cron(host: str) -> str:
    """/etc/cron.d of a server: one minute is one simulated hour."""
    jobs = {
        "srv1": [
            "* * * * * deploy /var/lib/lab/collect-usage",
            "*/3 * * * * root /var/lib/lab/backup",
        ],
        "web1": ["*/2 * * * * www-data test -d /var/www/lab"],
    }
    path = "PATH=/usr/sbin:/usr/bin:/sbin:/bin"
    return "\n".join(["SHELL=/bin/sh", path, *jobs.get(host, [])]) + "\n"


JOBS = {
    "/var/lib/lab/collect-usage": "#!/bin/sh\ndf / > /var/tmp/usage\n",
    "/var/lib/lab/backup": (
        "#!/bin/sh\ntar -cf /run/backup.tar /etc/ssh /etc/pam.d 2>/dev/null\n"
        'logger -t backup "finished: $(stat -c %s /run/backup.tar) bytes"\n'
    ),
}
"""Scripts that cron runs; the second tells syslog itself, as such scripts do."""

_FAKETIME = (
    'LD_PRELOAD="/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1",'
    f'FAKETIME_TIMESTAMP_FILE="{FAKETIME_RC}",FAKETIME_CACHE_DURATION="2",'
    'DONT_FAKE_MONOTONIC="1"'
)

PROGRAMS: dict[str, dict[str, str]] = {
    "gw1": {"keepalived": "/usr/sbin/keepalived -n -f /etc/keepalived/keepalived.conf"},
    "gw2": {"keepalived": "/usr/sbin/keepalived -n -f /etc/keepalived/keepalived.conf"},
    "fw1": {"ulogd": "/usr/sbin/ulogd -c /etc/ulogd.conf"},
    "dns1": {"dnsmasq": "/usr/sbin/dnsmasq -k -C /etc/dnsmasq.conf"},
    "ntp1": {"chronyd": "/usr/sbin/chronyd -x -n -f /etc/chrony/lab.conf"},
    "srv1": {
        "sshd": "/usr/sbin/sshd -D -f /etc/ssh/lab_sshd_config",
        "chronyd": "/usr/sbin/chronyd -x -n -f /etc/chrony/lab.conf",
        "cron": "/usr/sbin/cron -f",
        "app": f"/usr/bin/python3 -m http.server {APPLICATION_PORT} -d /var/www/app",
    },
    "web1": {
        "nginx": "/usr/sbin/nginx -c /etc/nginx/lab.conf -g 'daemon off;'",
        "sshd": "/usr/sbin/sshd -D -f /etc/ssh/lab_sshd_config",
        "chronyd": "/usr/sbin/chronyd -x -n -f /etc/chrony/lab.conf",
        "cron": "/usr/sbin/cron -f",
    },
}
CLOCK_HOSTS = ("srv1", "web1", "ntp1")
"""Hosts whose log daemon and chronyd see a clock that can be moved (libfaketime)."""


def supervisor(host: str) -> str:
    """supervisord.conf with the services of a host."""
    text = dedent("""\
        [unix_http_server]
        file=/run/supervisor.sock
        [rpcinterface:supervisor]
        supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface
        [supervisorctl]
        serverurl=unix:///run/supervisor.sock
        [supervisord]
        logfile=syslog
        pidfile=/run/supervisord.pid
        user=root
        """)
    for name, command in PROGRAMS[host].items():
        text += dedent(f"""\
            [program:{name}]
            command={command}
            autorestart=true
            startsecs=1
            startretries=4
            stdout_logfile=/var/log/{name}.out
            stderr_logfile=/var/log/{name}.err
            stdout_logfile_maxbytes=1MB
            stderr_logfile_maxbytes=1MB
            """)
        if name == "chronyd" and host in CLOCK_HOSTS:
            text += f"environment={_FAKETIME}\n"
    return text


def resolv_conf() -> str:
    """/etc/resolv.conf of every host but the name server's."""
    return f"search corp.example\nnameserver {interface_address('dns1', 'lan')}\n"


def faketime_environment() -> dict[str, str]:
    """Environment under which a program sees the clock that can be moved."""
    pairs = (item.partition("=") for item in _FAKETIME.split(","))
    return {key: value.strip('"') for key, _, value in pairs}

"""Word lists that the faithfulness check reads text with."""

from __future__ import annotations

import re

NUMBER_WORDS = {
    word: value
    for value, word in enumerate(
        "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
        "eighteen nineteen".split()
    )
} | {
    "twenty": 20, "thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "seventy": 70, "eighty": 80, "ninety": 90,
    "once": 1, "twice": 2, "thrice": 3, "single": 1, "hundred": 100, "thousand": 1_000, "million": 1_000_000,
    "billion": 1_000_000_000,
}  # fmt: skip
"""Words that state a number. Compounds are read by :func:`spoken_numbers`."""

_SCALES = {100, 1_000, 1_000_000, 1_000_000_000}

VAGUE_AMOUNTS = re.compile(
    r"\b(?:dozens?|scores of|hundreds|thousands|millions|billions|tens of|doubled?|tripled?|quadrupled?|halved|"
    r"half|a third|a quarter|\w+fold|(?:a )?couple of|several hundred|several thousand)\b",
    re.IGNORECASE,
)
"""Amounts that no evidence states."""

_WORD = "|".join(sorted(NUMBER_WORDS, key=len, reverse=True))
_SPOKEN = re.compile(rf"\b(?:a )?((?:{_WORD})(?:(?:[ -]|,? and |,? )(?:{_WORD}))*)\b", re.IGNORECASE)
_IDIOMS = re.compile(
    r"\b(?:at once|once more|once again|no one|this one|that one|the one|which one|one of|one another|one by one)\b",
    re.IGNORECASE,
)


def spoken_numbers(text: str) -> list[tuple[str, int, tuple[int, int]]]:
    """Return numbers that are written as words: the words, their value, and where they stand."""
    idioms = [match.span() for match in _IDIOMS.finditer(text)]
    found = []
    for match in _SPOKEN.finditer(text):
        if not any(start <= match.start(1) < end for start, end in idioms):
            found.append((match[1], _spoken_value(re.findall(r"[a-z]+", match[1].lower())), match.span()))
    return found


def _spoken_value(words: list[str]) -> int:
    total = group = 0
    for word in words:
        value = NUMBER_WORDS.get(word)
        if value is None:  # "and"
            continue
        if value not in _SCALES:
            group += value
        elif value == 100:
            group = max(group, 1) * value
        else:
            total, group = total + max(group, 1) * value, 0
    return total + group


DISMISSALS = re.compile(
    r"\b(?:no (?:action|further action|response|reaction|investigation) (?:is |are )?(?:needed|required|necessary)|"
    r"(?:can|may|should|could|please|must|to) (?:be )?(?:safely )?(?:ignored?|disregard(?:ed)?|dismiss(?:ed)?)|"
    r"(?:nothing|no (?:need|reason)) to (?:worry|do|be)|harmless|benign|false (?:alarm|positive)|safe to ignore|"
    r"not an anomaly|no anomal(?:y|ies)|(?:all|everything) (?:is|looks|was|seems) (?:well|fine|normal|ok|okay|good)|"
    r"normal (?:behaviou?r|operation|activity)|no (?:problem|issue|threat|danger|risk)s?)\b",
    re.IGNORECASE,
)
"""Statements that play an anomaly down: no evidence can say that, so only an injected or invented claim does."""

VERDICTS = re.compile(
    r"\b(?:compromis\w+|hack\w*|breach\w*|intru\w+|malware|ransomware|virus|backdoor\w*|exfiltrat\w+|attack\w*|malicious\w*|"
    r"stolen|infected|sabotag\w+|exploit\w*|brute[- ]forc\w+|unauthori[sz]ed)\b",
    re.IGNORECASE,
)
"""Judgements of intent, which are allowed only as a possibility."""

HEDGES = re.compile(
    r"\b(?:may|might|could|can|possib\w+|perhaps|whether|if|check|consistent with|look for|suggests?|suspect\w*|"
    r"potential\w*|likely|verify|investigate|rule out|typical of|resembles?)\b",
    re.IGNORECASE,
)

TERMS = frozenset(
    "I ACL AES AP API ARP AS ASN BFD BGP BIOS BMP BPDU CA CDP CLI CPU CRC DAD DDoS DHCP DHCPv6 DMZ DNS DNSSEC DoS EIGRP EVPN "
    "FRR FTP GPU GRE GUI HSRP HTTP HTTPS HTTP/2 ICMP ICMPv6 ID IDs IDS IGMP IKE IKEv2 IMAP IO IoT IP IPs IPsec IPv4 IPv6 "
    "IPS ISP "
    "JSON KVM LACP LAG LAN LDAP LDP LDPv6 Linux LLDP LSA MAC MFA MLAG MPLS MTU NAT NetFlow NIC NTP OK OOM OS OSPF OSPFv2 "
    "OSPFv3 PAM "
    "PDU PID PIM PoE POP3 PPP PSU QoS RADIUS RAID RAM RIP RPC RPKI RSTP RTT SFP SIGSEGV SIGABRT SIGKILL SIGTERM SLA SMB "
    "SMTP SNMP SNMPv3 SQL SSH SSL SSO STP SYN TACACS TCP TCP/IP TLS TTL TTY UDP UID Unix UPS URL URLs USB UTC VIP VLAN "
    "VLANs VM VMs VPN VRF VRRP VRRPv3 VXLAN WAN Wi-Fi WLAN XML YAML "
    "USER NUM HEX PATH NAME HOST EMAIL PORT TIME DATE UUID SERVICE "
    "January February March April May June July August September October November December "
    "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
)
"""Terms of the field, and the words that masking writes: they name nobody."""

FUNCTION_WORDS = frozenset(
    "a an the this that these those its his her their our your my it they them he she we you who whom whose which what when "
    "where why how whether if then than as at by for from in into of off on onto out over per since through to toward towards "
    "under until up upon via with within without about above across after against along among around before behind below "
    "beneath beside besides between beyond during except inside near outside past and but nor or so yet not no any all both "
    "each either every few many more most much neither none other others another own same several some such is are was were "
    "be been being am do does did doing done has have had having can could may might must shall should will would also again "
    "already always ever far first here just last least less likely later long never now often once only perhaps possibly "
    "quite rather really recently second seldom sometimes soon still there therefore thus together too very well while "
    "because although though unless however instead meanwhile otherwise".split()
)

COMMON_WORDS = FUNCTION_WORDS | frozenset(
    "access account accounts activity adapter address addresses adjacency agent agents alert alerts answer answers anything "
    "application applications area authentication authority backup bridge burst cable card certificate change changed "
    "changes clock cluster command commands component concerned configuration configurations connection connections console "
    "container containers count counter counters crash crashed credentials daemon data database day days default delay "
    "demand details device devices directory disk down drive driver end ended engine entries entry error errors event events "
    "evidence expected failed fails failure failures file files firewall flow folder frequency gap gateway group groups "
    "hardware health history host hosts hour hours identity image incoming information input installed instance interface "
    "interfaces internal intervals issue itself job jobs key keys kernel kind known level limit line lines link links list load "
    "local log logging login logins logs loss machine machines maintenance management master media member memory message "
    "messages minute minutes missing mode model module modules monitoring name names neighbor neighbors neighbour neighbours "
    "network networks new node nodes normal normally number numbers old operator operators outage output owner packet packets "
    "page pages part password passwords path paths peer peers people period person place point port ports power privileges "
    "problem process processes program programs protocol queries query queue range rate reason record records remote reports "
    "request requests resource resources response restart restarted result role root route router routers routes routing rule "
    "rules running scan script scripts seconds section segment sender sequence series server servers service services session "
    "sessions setting settings shell signal silence site size software source sources space speed standby start started state "
    "states status stopped storage store stream subnet switch switches system systems table target task tasks template "
    "templates terminal test threshold time timer timers times tool traffic transition tunnel type unit unknown unreachable "
    "unusual update updated upgrade upstream usage usual usually user users value values version volume volumes warning web "
    "window word wording words work worker workers working writes wrote zone "
    "arrived came comes appeared appears attempt attempts attempted became began behaved behaving belongs changing "
    "communicating connected cut detected did disappeared dropped exceeded exited exists experienced failing found gave gets "
    "goes gone got handles happened holds introduced keeps keeping kept leaves left logged looks lost made makes means needs "
    "observed occurred opened produced produces provides reached reads received recorded rejected reported reporting required "
    "responding responds returned returns runs saw says seems seen sends sent shows showed showing silent starts stated stays "
    "stops submitted suddenly takes tried tries trying turned used uses using wants went written "
    "anonymous concurrent exhausted external guest idle invalid legitimate only present public scheduled single suspicious "
    "valid identical privileged administrative involved affected responsible remotely manually successfully directly "
    "repeatedly quickly forwarding itself themselves".split()
)
"""Words that may follow ``user`` or ``host`` without being a name."""

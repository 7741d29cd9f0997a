# Every setting of host, commented at its default.
#
# Use it with: host run --config config.hcl
# and look at what comes out with: host config show --config config.hcl
#
# The settings may stand in several files: --config may be repeated, and may name a folder, of which all files *.hcl are read.
# The environment wins over the files, and flags win over the environment. A variable is HOST_ and the key in capitals,
# with two underscores between block and key: HOST_LISTEN, HOST_TABLE__BUCKET_IP_LIMIT. Relative paths start at the folder
# of this file, or where host was started when the file comes through a pipe. A value may be env("NAME"), env("NAME", "default")
# or file("path"), which reads a file's text; no output shows that text.

# Profile for experiments on this machine. With true, what is set nowhere else becomes listen = ["127.0.0.1:0"], network = "none",
# log_level = "debug" and data_dir = "~/.discv5-host-dev".
#dev = false

# --- identity and place ------------------------------------------------------------------------------------------------

# UDP addresses to listen on, at most one per address family. Port 0 takes a free port. A specific address is published in
# the node record; 0.0.0.0 and [::] are not, until advertise, nat or the reports of peers tell the public address.
#listen = ["0.0.0.0:9000"]

# Folder for the key, the node record and what the host remembers.
#data_dir = "~/.discv5-host"

# File with the private key: 64 hex digits, readable by its owner only. Empty: the file "key" in data_dir, made when it is
# missing. Never give two running hosts one key.
#key_file = ""

# Folder for the sockets of plugins, which nobody else may write. Empty: the folder "run" in data_dir. Its path has at most 60
# bytes.
#run_dir = ""

# --- joining -------------------------------------------------------------------------------------------------------------

# Network to join by its published bootnodes: "none", "mainnet", "sepolia" or "hoodi".
#network = "none"

# Records (enr:…) of more nodes to join by.
#bootnodes = []

# --- public address ------------------------------------------------------------------------------------------------------

# Addresses to publish and never to change, "ip" or "ip:port", at most one per address family. Without a port, the one
# that is listened on.
#advertise = []

# Ask the router to map the port: "none", "upnp", "pmp" (NAT-PMP) or "any".
#nat = "none"

# Let the address that a clear majority of peers reports change the node record. With false there is only a warning.
#auto_update = true

# --- logs ------------------------------------------------------------------------------------------------------------------

# Least important messages to log: "trace", "debug", "info", "warn", "error" or "off".
#log_level = "info"

# "text" for people, "json" for machines. Logs go to stderr.
#log_format = "text"

# --- reload -----------------------------------------------------------------------------------------------------------------

# The host reads its configuration again when it gets SIGHUP or host reload asks for it. With true also when one of its files
# changes. Plugins, network, bootnodes, bans, limits and log_level are taken over; the rest needs a restart, and the log says so.
#watch_config = false

# --- protocol --------------------------------------------------------------------------------------------------------------

# Protocol id in packet headers, exactly 6 bytes. A private network may use one of its own: nodes with another id see
# nothing but noise.
#protocol_id = "discv5"

# Sessions to remember. Each costs about half a kilobyte.
#session_cache = 4096

# How long to wait for an answer, and for the other side of a handshake.
#response_timeout = "4s"
#challenge_timeout = "2s"

# Who may share the routing table. Loopback and LAN addresses are not counted.
#table {
  # Nodes of one address range in a bucket and in the whole table.
  #bucket_ip_limit = 2
  #table_ip_limit = 10

  # Leading bits that make an address range. 32 and 128 limit single addresses only.
  #ipv4_prefix = 24
  #ipv6_prefix = 64

  # Distance bits a lookup gains per hop. More bits mean a larger table and shorter lookups.
  #bits_per_hop = 5
#}

# How much strangers may cost, per second. Loopback and LAN addresses are not limited; answers to our own requests always
# pass. What exceeds a limit is dropped and counted.
#limits {
  # Packets without a session, per source: an IPv4 address or an IPv6 /64.
  #source_rate = 50
  #source_burst = 200

  # Challenges sent and handshakes checked, for everybody together.
  #challenges = 20000
  #handshakes = 2000

  # Packets within one session.
  #session_rate = 5000
#}

# Whom the host never speaks to, while it stands here: node ids (64 hex digits) or records, addresses, and ranges like
# "192.0.2.0/24" or "2001:db8::/32".
#bans = []

# --- admin API -------------------------------------------------------------------------------------------------------------

# Who may ask and steer the running host, and where. Commands like host status use the socket.
#admin {
  # Unix socket, for the owner of the process alone. Empty: the file "admin.sock" in data_dir; "none": there is no socket.
  #socket = ""

  # TCP address besides, "ip:port". Empty: none. Requests over it carry the token, at least 16 bytes of text; the best place for it
  # is a file: token = file("token"). It appears in no output.
  #listen = ""
  #token = ""

  # With true, listen may be an address that other machines reach. Nothing is encrypted: only for a network that you trust.
  #remote = false

  # How long the table may be without a node that answers before /readyz says no.
  #ready_grace = "5m"
#}

# --- plugins ---------------------------------------------------------------------------------------------------------------

# Plugins are programs that the host starts, asks and ends: plugin "<kind>" "<name>". The kind is "talk" (it speaks a
# sub-protocol), "filter" (it decides about node records) or "store" (it keeps what the host remembers; one at most). The name is
# yours. There may be 64 of them. They stand in files alone: neither variables nor flags change them.

#plugin "talk" "echo" {
  # What to run: "builtin:NAME" for a bundled one (echo, expr, bolt), or the path of a program. The only key that must be there.
  #source = "builtin:echo"

  # The program's arguments and its whole environment: it inherits no variable.
  #args = []
  #env = {}

  # SHA-256 of the program in hex; another program is not started. Empty: whatever is at that path runs.
  #sha256 = ""

  # With false it is not started. A required plugin that does not serve makes the host not ready.
  #enabled = true
  #required = false

  # What it may ask of the host: "self", "ping", "findnode", "talk", "lookup", "resolve", "closest", "sample", "watch",
  # "record" (set fields of the node record), "kv" (keep data), "ban", "metrics".
  #grants = []

  # How long a request may take. After that a peer gets an empty answer, and for a filter on_error holds.
  #deadline = "300ms"

  # Requests that it works on at a time, at most 4096; those of one peer among them; and requests that wait, at most 16384.
  #max_in_flight = 1024
  #max_per_peer = 32
  #max_queue = 4096

  # Protocols that it serves, as text or 0x and hex, and no others. Empty: those that it says it serves. For talk plugins.
  #protocols = []

  # Its own settings, which its author describes. Without the block it has its defaults.
  #config {
  #}
#}

# A filter has the keys above but protocols, and these.
#plugin "filter" "rule" {
  #source = "builtin:expr"

  # Where it is asked: "table" (may the node enter the routing table), "serve" (may others be told of it), "deliver" (may
  # lookups and plugins get it). Empty: everywhere.
  #stages = []

  # Filters with a lower number are asked first, equal ones in the order of this file. A node must pass all of them.
  #order = 0

  # What holds while it gives no answer: "accept" or "reject".
  #on_error = "accept"

  # With true its verdicts are counted and not obeyed.
  #dry_run = false

  #config {
    # Which records are accepted, such as "enr.has(\"eth2\") && fork(\"mainnet\").accepts(enr)"; sdk/expr/README.md describes the
    # language. For builtin:expr, which has no default for it; host plugin describe builtin:expr shows what else may stand here.
    #expression = "true"
  #}
#}

# A store has the keys of a talk plugin but protocols. builtin:bolt keeps a file in data_dir.
#plugin "store" "disk" {
  #source = "builtin:bolt"
#}

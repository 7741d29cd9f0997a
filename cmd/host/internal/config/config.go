package config

import (
	"net/netip"
	"path/filepath"
	"time"

	"github.com/discv5/host/cmd/host/internal/subject"
	"github.com/ethereum/go-ethereum/p2p/enode"
)

// Config is what an operator can set. Tags: hcl is the key, default its value in the form of a flag, doc the help text,
// flag the flag's name (none: file and environment only), value what the help calls the flag's argument, oneof the accepted
// words, min and max the bounds, path marks a file path, word one in its place that is none, dev the value that the profile of --dev has.
type Config struct {
	Dev bool `hcl:"dev" flag:"dev" value:"bool" default:"false" doc:"profile for experiments on this machine: loopback, a free port, debug logs, a data folder of its own"`

	Listen []netip.AddrPort `hcl:"listen" flag:"listen" value:"ip:port" default:"0.0.0.0:9000" dev:"127.0.0.1:0" doc:"UDP address to listen on, one per address family (port 0: any free port)"`

	DataDir string `hcl:"data_dir" flag:"data-dir" value:"dir" path:"yes" default:"~/.discv5-host" dev:"~/.discv5-host-dev" doc:"folder for the key, the node record and what the host remembers"`
	KeyFile string `hcl:"key_file" flag:"key-file" value:"file" path:"yes" default:"" doc:"file with the private key (empty: key in data_dir, made when missing)"`

	RunDir string `hcl:"run_dir" value:"dir" path:"yes" default:"" doc:"folder for the sockets of plugins (empty: run in data_dir)"`

	Network   string        `hcl:"network" flag:"network" value:"name" default:"none" dev:"none" oneof:"none mainnet sepolia hoodi" doc:"network to join by its published bootnodes: none, mainnet, sepolia or hoodi"`
	Bootnodes []*enode.Node `hcl:"bootnodes" flag:"bootnode" value:"enr" default:"" doc:"record of a node to join by, beside those of the network"`

	Advertise  []Endpoint `hcl:"advertise" flag:"advertise" value:"ip[:port]" default:"" doc:"address to publish in the node record and never to change, one per address family"`
	NAT        string     `hcl:"nat" flag:"nat" value:"method" default:"none" oneof:"none upnp pmp any" doc:"ask the router to map the port: none, upnp, pmp or any"`
	AutoUpdate bool       `hcl:"auto_update" default:"true" doc:"let the address that peers report change the node record"`

	LogLevel  string `hcl:"log_level" flag:"log-level" value:"level" default:"info" dev:"debug" oneof:"trace debug info warn error off" doc:"least important messages to log: trace, debug, info, warn, error or off"`
	LogFormat string `hcl:"log_format" flag:"log-format" value:"format" default:"text" oneof:"text json" doc:"text for people or json for machines"`

	WatchConfig bool `hcl:"watch_config" default:"false" doc:"reload when a file of the configuration changes, without being told to"`

	ProtocolID       ProtocolID    `hcl:"protocol_id" flag:"protocol-id" value:"text" default:"discv5" doc:"protocol id in packet headers; a private network may use one of its own"`
	SessionCache     int           `hcl:"session_cache" default:"4096" min:"64" max:"1048576" doc:"sessions to remember"`
	ResponseTimeout  time.Duration `hcl:"response_timeout" default:"4s" min:"100ms" max:"1m" doc:"how long to wait for an answer"`
	ChallengeTimeout time.Duration `hcl:"challenge_timeout" default:"2s" min:"100ms" max:"1m" doc:"how long a handshake may take"`

	Bans []subject.Subject `hcl:"bans" value:"who" default:"" doc:"nodes (ids) and addresses or ranges of them that are never spoken to"`

	Table  Table  `hcl:"table,block"`
	Limits Limits `hcl:"limits,block"`
	Admin  Admin  `hcl:"admin,block"`
}

// Table is the block table: who may share the routing table. Loopback and LAN addresses are never counted.
type Table struct {
	BucketIPLimit int `hcl:"bucket_ip_limit" default:"2" min:"1" max:"24" doc:"nodes of one address range in a bucket"`
	TableIPLimit  int `hcl:"table_ip_limit" default:"10" min:"1" max:"4096" doc:"nodes of one address range in the whole table"`
	IPv4Prefix    int `hcl:"ipv4_prefix" default:"24" min:"8" max:"32" doc:"bits that make an IPv4 address range"`
	IPv6Prefix    int `hcl:"ipv6_prefix" default:"64" min:"16" max:"128" doc:"bits that make an IPv6 address range"`
	BitsPerHop    int `hcl:"bits_per_hop" default:"5" min:"1" max:"8" doc:"distance bits a lookup gains per hop; more bits mean a larger table"`
}

// Limits is the block limits: how many packets strangers may cost us, per second. Loopback and LAN
// addresses are not limited.
type Limits struct {
	SourceRate  int `hcl:"source_rate" default:"50" min:"1" max:"1000000" doc:"packets without a session, per source (IPv4 address or IPv6 /64)"`
	SourceBurst int `hcl:"source_burst" default:"200" min:"1" max:"1000000" doc:"packets without a session a source may send at once"`
	Challenges  int `hcl:"challenges" default:"20000" min:"1" max:"10000000" doc:"challenges sent, to everybody together"`
	Handshakes  int `hcl:"handshakes" default:"2000" min:"1" max:"1000000" doc:"handshakes checked, of everybody together"`
	SessionRate int `hcl:"session_rate" default:"5000" min:"1" max:"10000000" doc:"packets within one session"`
}

// Admin is the block admin: who may ask and steer a running host, and where.
type Admin struct {
	Socket     string         `hcl:"socket" value:"file" path:"yes" word:"none" default:"" doc:"unix socket of the admin API (empty: admin.sock in data_dir; none: there is no socket)"`
	Listen     netip.AddrPort `hcl:"listen" value:"ip:port" default:"" doc:"TCP address of the admin API (empty: none)"`
	Token      Secret         `hcl:"token" value:"text" default:"" doc:"secret that requests over TCP carry, 16 bytes at least; required with listen"`
	Remote     bool           `hcl:"remote" value:"bool" default:"false" doc:"let listen be an address that other machines reach; nothing is encrypted"`
	ReadyGrace time.Duration  `hcl:"ready_grace" default:"5m" min:"1s" max:"24h" doc:"how long the table may be without a node that answers before the host is not ready"`
}

// NoSocket is what Admin.Socket is when there is to be none.
const NoSocket = "none"

// AdminSocket is the path of the admin API's unix socket, "" when there is none.
func (c *Config) AdminSocket() string {
	switch c.Admin.Socket {
	case NoSocket:
		return ""
	case "":
		return filepath.Join(c.DataDir, "admin.sock")
	}
	return c.Admin.Socket
}

// KeyPath is the path of the private key: KeyFile, or the file key in DataDir.
func (c *Config) KeyPath() string {
	if c.KeyFile != "" {
		return c.KeyFile
	}
	return filepath.Join(c.DataDir, "key")
}

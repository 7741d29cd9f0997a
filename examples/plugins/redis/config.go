package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
	"time"
)

// config is the plugin's config block.
type config struct {
	Addresses  []string      `hcl:"addresses,optional" doc:"host:port of the server, of some nodes of a Cluster, or of Sentinels; or unix:/path"`
	Cluster    bool          `hcl:"cluster,optional" doc:"the addresses are of a Redis Cluster"`
	Master     string        `hcl:"sentinel_master,optional" doc:"name of the master that the addresses, which are of Sentinels, know"`
	Username   string        `hcl:"username,optional" doc:"user of the server's ACL"`
	Password   string        `hcl:"password,optional" secret:"true" doc:"password of the server; take it from a file or a variable"`
	Sentinel   string        `hcl:"sentinel_password,optional" secret:"true" doc:"password of the Sentinels"`
	Database   int           `hcl:"database,optional" doc:"number of the database; a Cluster has only 0"`
	Prefix     string        `hcl:"prefix,optional" doc:"what all keys begin with; hosts with the same prefix share what they remember"`
	Timeout    time.Duration `hcl:"timeout,optional" doc:"how long to wait for a connection or an answer"`
	Durability string        `hcl:"durability,optional" doc:"what to do with a server that may lose what it acknowledged: require, warn or ignore"`
	TLS        *tlsConfig    `hcl:"tls,block" doc:"encrypt the connection"`
}

// tlsConfig is the block for TLS. An empty one takes the certificate authorities of the system.
type tlsConfig struct {
	CA         string `hcl:"ca_file,optional" doc:"certificates, in PEM, of the authorities that may have signed the server's"`
	Cert       string `hcl:"cert_file,optional" doc:"our certificate, in PEM"`
	Key        string `hcl:"key_file,optional" doc:"the key of our certificate, in PEM"`
	ServerName string `hcl:"server_name,optional" doc:"the name in the server's certificate, if it is not that of the address"`
}

func defaults() config {
	return config{Addresses: []string{"127.0.0.1:6379"}, Prefix: "discv5host", Timeout: 3 * time.Second, Durability: "warn"}
}

const (
	unixScheme = "unix:"
	maxPrefix  = 64 // bytes
)

// Validate says what is wrong with the configuration.
func (c *config) Validate() error {
	var errs []error
	wrong := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if len(c.Addresses) == 0 {
		wrong("addresses is empty: name the server, like \"127.0.0.1:6379\"")
	}
	for i, a := range c.Addresses { // which may have a password in them by mistake
		if path, unix := strings.CutPrefix(a, unixScheme); unix {
			if path == "" {
				wrong("addresses: number %d has no path behind unix:", i+1)
			}
		} else if host, port, err := net.SplitHostPort(a); err != nil || host == "" || port == "" || strings.ContainsAny(host, "@/") {
			wrong("addresses: number %d is not host:port; passwords and databases have settings of their own", i+1)
		}
	}
	if len(c.Addresses) > 1 && !c.Cluster && c.Master == "" {
		wrong("there are %d addresses: set cluster = true, or sentinel_master if they are of Sentinels", len(c.Addresses))
	}
	if c.Cluster && c.Master != "" {
		wrong("both cluster and sentinel_master are set")
	}
	if c.Cluster && c.Database != 0 {
		wrong("database is %d, and a Cluster has only 0", c.Database)
	}
	if c.Database < 0 || c.Database > 1<<20 {
		wrong("database is %d", c.Database)
	}
	if c.Username != "" && c.Password == "" {
		wrong("there is a username and no password")
	}
	if c.Prefix == "" || len(c.Prefix) > maxPrefix || strings.ContainsAny(c.Prefix, "{}") {
		wrong("prefix must have 1 to %d bytes, none of them { or }", maxPrefix)
	}
	if c.Timeout < 10*time.Millisecond || c.Timeout > time.Minute {
		wrong("timeout is %s; 10ms to 1m is possible", c.Timeout)
	}
	switch c.Durability {
	case "require", "warn", "ignore":
	default:
		wrong("durability is %q; it must be require, warn or ignore", c.Durability)
	}
	if c.TLS != nil && (c.TLS.Cert == "") != (c.TLS.Key == "") {
		wrong("tls: cert_file and key_file belong together")
	}
	return errors.Join(errs...)
}

// exposed tells whether what we say to the server may go over a network as it is.
func (c *config) exposed() bool {
	for _, a := range c.Addresses {
		host, _, _ := net.SplitHostPort(a) // Validate has seen it
		ip, err := netip.ParseAddr(host)
		local := strings.HasPrefix(a, unixScheme) || host == "localhost" || err == nil && ip.IsLoopback()
		if c.TLS == nil && !local {
			return true
		}
	}
	return false
}

// config reads the files of the block.
func (t *tlsConfig) config() (*tls.Config, error) {
	if t == nil {
		return nil, nil
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: t.ServerName}
	if t.CA != "" {
		pem, err := os.ReadFile(t.CA)
		if err != nil {
			return nil, fmt.Errorf("tls: ca_file: %w", err)
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("tls: ca_file: %s has no certificate in PEM", t.CA)
		}
	}
	if t.Cert != "" {
		pair, err := tls.LoadX509KeyPair(t.Cert, t.Key)
		if err != nil {
			return nil, fmt.Errorf("tls: cert_file and key_file: %w", err)
		}
		c.Certificates = []tls.Certificate{pair}
	}
	return c, nil
}

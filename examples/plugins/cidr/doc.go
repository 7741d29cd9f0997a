// Command cidr is a filter plugin: it accepts nodes by the IP addresses in their records.
package main

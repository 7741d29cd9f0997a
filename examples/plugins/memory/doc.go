// Command memory is a store plugin that forgets everything when it stops: what a store must do, without a disk.
package main

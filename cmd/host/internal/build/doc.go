// Package build tells what this binary was built from.
package build

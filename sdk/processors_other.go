//go:build !unix

package sdk

import "time"

func usedTime() (used time.Duration, ok bool) { return 0, false }

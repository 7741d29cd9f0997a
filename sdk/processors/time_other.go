//go:build !unix

package processors

import "time"

func usedTime() (used time.Duration, ok bool) { return 0, false }

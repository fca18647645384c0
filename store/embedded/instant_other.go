//go:build !linux

package embedded

import "time"

// sinceBoot is zero: it is not known here.
func sinceBoot() time.Duration { return 0 }

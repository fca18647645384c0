//go:build !linux

package embedded

import "time"

// sinceBoot returns zero: the time is unknown here.
func sinceBoot() time.Duration { return 0 }

package embedded

import (
	"fmt"

	"popelago/store"
)

// checkSpace is ErrFull when the free space of the disk is below the reserve. File systems
// that cannot tell (those in memory) are never full.
func (s *Store) checkSpace(what string) error {
	if s.cfg.Reserve < 0 {
		return nil
	}
	u, err := s.cfg.FS.GetDiskUsage(s.cfg.Dir)
	if err != nil || u.AvailBytes >= uint64(s.cfg.Reserve) {
		return nil
	}
	return fmt.Errorf("embedded: %s: %w: %d octets free, fewer than the reserve of %d",
		what, store.ErrFull, u.AvailBytes, s.cfg.Reserve)
}

package cassandra

// caches holds the memory of this process about mailboxes.
type caches struct {
	floors     *floors
	states     *bulkStates
	dayOnly    *dayOnly
	candidates *bulkCandidates
	removals   *removalCounts
	pageSizes  *pageSizes
}

func newCaches(cfg Config, run *runner, m *metrics) *caches {
	return &caches{
		floors: newFloors(cfg, run), states: newBulkStates(cfg.Window), dayOnly: newDayOnly(),
		candidates: newBulkCandidates(cfg.BulkAfter), removals: &removalCounts{window: cfg.Window},
		pageSizes: newPageSizes(cfg.Logger, m.pageTimeouts),
	}
}

// close ends the goroutines of the caches.
func (c *caches) close() {
	c.floors.close()
	c.candidates.close()
	c.pageSizes.close()
}

package cassandratest

// End is what Main does after the tests.
func (l *Lazy) End() { l.end() }

// TakeFolder is how a run gets a kept cluster for itself.
var TakeFolder = takeFolder

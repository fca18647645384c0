package cassandratest

// End is what Main does after the tests.
func (l *Lazy) End() { l.end() }

// TakeFolder is how a run gets a kept cluster, for itself or with others. ready lets others in.
func TakeFolder(dir, name string, share bool) (path string, alone bool, ready func() error, leave func(), err error) {
	f, err := takeFolder(dir, name, share)
	return f.path, f.alone, f.ready, f.leave, err
}

// CloseOnExec is what a detached node is started behind.
var CloseOnExec = closeOnExec

// Changed changes settings. Streaming and Replacing are what a node that replaces another is started
// with.
var (
	Changed   = changed
	Streaming = streaming
	Replacing = replacing
)

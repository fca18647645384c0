package cluster

// verb is the kind of a statement.
type verb int

const (
	selectVerb verb = iota
	insertVerb
	updateVerb
	deleteVerb
	createKeyspaceVerb
	alterKeyspaceVerb
	createTableVerb
	alterTableVerb
	truncateVerb
	dropTableVerb
	dropKeyspaceVerb
)

// syntax is a statement as it was read, without knowledge of tables.
type syntax struct {
	verb            verb
	space, table    string
	selectors       []selector
	columns         []string // of INSERT and of DELETE
	values          []term   // of INSERT
	assignments     []assignment
	relations       []relation
	order           []ordering
	limit           *term
	timestamp, ttl  *term
	ifExists        bool // IF NOT EXISTS or IF EXISTS of a statement about the schema
	markers         int  // count of ?
	definitions     []definition
	partitionKey    []string
	clusteringKey   []string
	clusteringOrder []ordering
	properties      map[string]string // of a table or a keyspace; of a map each entry as name.entry
}

// selector is a column of a result. function is empty, or writetime, ttl, token, now, tounixtimestamp, count.
type selector struct {
	function string
	columns  []string
	nested   string // of toUnixTimestamp(now())
}

// term is a value of a statement.
type term struct {
	marker  int // index of ?, or -1
	literal string
	kind    termKind
	list    []term // of a tuple or of (..., ...)
}

type termKind int

const (
	markerTerm termKind = iota
	nullTerm
	boolTerm
	numberTerm
	stringTerm
	listTerm
)

// assignment is an assignment of UPDATE: column = value, column = column + value, column = column - value, or
// column[key] = value.
type assignment struct {
	column string
	sign   string // "=", "+", "-" or "["
	key    term
	value  term
}

// relation is a condition of WHERE.
type relation struct {
	columns []string
	token   bool
	tuple   bool
	sign    string // "=", "<", "<=", ">", ">=", "in"
	value   term
}

type ordering struct {
	column     string
	descending bool
}

// definition is a column in CREATE TABLE or ALTER TABLE.
type definition struct {
	name, typ string
	static    bool
}

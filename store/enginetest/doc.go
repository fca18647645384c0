// Package enginetest helps the tests of store/cassandra: it opens stores, fills them, looks at what
// they list, and gathers the statements that they execute. Only tests use it.
package enginetest

// Package enginetest helps the tests of store/cassandra: it opens and fills stores, checks their lists, and
// gathers their statements. Only tests use it.
package enginetest

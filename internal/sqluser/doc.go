// Package sqluser keeps the users who may ask in SQL: read-only, within limits
// that they cannot raise, and, where they are bound to tenants, with no view of
// other tenants' rows through any table or view.
//
// What a [User] may do is said once, in rights.go, and written twice: as SQL for
// a ClickHouse of the user's own ([Server]), and as a part of users.xml for the
// embedded engine ([File]), which has no access storage that SQL could write to.
package sqluser

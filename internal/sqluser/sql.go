package sqluser

import (
	"fmt"
	"strings"
	"time"

	"github.com/heplake/heplake/schema"
)

// names are the objects of the access control of one database.
type names struct{ db, on string }

func namesOf(o schema.Options) names { return names{o.DatabaseName(), o.OnCluster()} }

// role is what every SQL user has: the right to read. Whoever has it sees a row
// only by a policy of their own.
func (n names) role() string { return "`" + n.db + "_sql`" }

// of is the user's profile, quota and row policies.
func (n names) of(user string) string { return "`" + n.db + "_sql_" + user + "`" }

// everyone is the policy by which all others see every row: on some servers a
// table with policies hides its rows from whoever has none.
func (n names) everyone() string { return "`" + n.db + "_everyone`" }

func (n names) table(t string) string { return "`" + n.db + "`.`" + t + "`" }

// roleSQL are the statements for what all users share. To run them again does no
// harm; a table that is new is readable after it, by who has a policy for it.
func roleSQL(o schema.Options) []string {
	n := namesOf(o)
	out := []string{"CREATE ROLE IF NOT EXISTS " + n.role() + n.on}
	for _, t := range Readable(o) {
		out = append(out,
			fmt.Sprintf("CREATE ROW POLICY OR REPLACE %s%s ON %s USING 1 TO ALL EXCEPT %s", n.everyone(), n.on, n.table(t), n.role()),
			fmt.Sprintf("GRANT%s SELECT ON %s TO %s", n.on, n.table(t), n.role()))
	}
	return out
}

// rightsSQL are the statements for what a user may do, who need not be there yet:
// profile, quota and policies.
func rightsSQL(u *User, o schema.Options) []string {
	n := namesOf(o)
	var settings []string
	for _, s := range u.settings() {
		switch {
		case s.most != "":
			settings = append(settings, fmt.Sprintf("%s = %s MIN %s MAX %s", s.name, s.value, s.least, s.most))
		default:
			settings = append(settings, fmt.Sprintf("%s = %s CONST", s.name, s.value))
		}
	}
	out := []string{fmt.Sprintf("CREATE SETTINGS PROFILE OR REPLACE %s%s SETTINGS %s", n.of(u.Name), n.on, strings.Join(settings, ", "))}
	return out
}

// boundSQL are the statements that bind a user who is there: policies, quota, and
// at last the role.
func boundSQL(u *User, o schema.Options) []string {
	n := namesOf(o)
	var out []string
	for _, t := range Readable(o) {
		out = append(out, fmt.Sprintf("CREATE ROW POLICY OR REPLACE %s%s ON %s USING %s TO `%s`", n.of(u.Name), n.on, n.table(t), u.filter(), u.Name))
	}
	if q := u.Limits.QueriesPerHour; q > 0 {
		out = append(out, fmt.Sprintf("CREATE QUOTA OR REPLACE %s%s FOR INTERVAL 1 hour MAX queries = %d TO `%s`", n.of(u.Name), n.on, q, u.Name))
	} else {
		out = append(out, fmt.Sprintf("DROP QUOTA IF EXISTS %s%s", n.of(u.Name), n.on))
	}
	return append(out, fmt.Sprintf("GRANT%s %s TO `%s`", n.on, n.role(), u.Name))
}

// createSQL are all statements for a new user. Until the last one the user sees
// nothing.
func createSQL(u *User, hash string, o schema.Options) []string {
	n := namesOf(o)
	host := "ANY"
	if len(u.Hosts) > 0 {
		quoted := make([]string, len(u.Hosts))
		for i, h := range u.Hosts {
			quoted[i] = schema.Quote(h)
		}
		host = "IP " + strings.Join(quoted, ", ")
	}
	until := ""
	if !u.Expires.IsZero() {
		until = " VALID UNTIL '" + u.Expires.UTC().Format(time.DateTime) + " UTC'"
	}
	out := append(roleSQL(o), rightsSQL(u, o)...)
	out = append(out, fmt.Sprintf("CREATE USER `%s`%s IDENTIFIED WITH sha256_hash BY '%s'%s HOST %s SETTINGS PROFILE %s", u.Name, n.on, hash, until, host, n.of(u.Name)))
	return append(out, boundSQL(u, o)...)
}

// rotateSQL replaces the password.
func rotateSQL(u *User, hash string, o schema.Options) string {
	until := ""
	if !u.Expires.IsZero() {
		until = " VALID UNTIL '" + u.Expires.UTC().Format(time.DateTime) + " UTC'"
	}
	return fmt.Sprintf("ALTER USER `%s`%s IDENTIFIED WITH sha256_hash BY '%s'%s", u.Name, o.OnCluster(), hash, until)
}

// dropSQL are the statements that take a user away, the login first.
func dropSQL(name string, o schema.Options) []string {
	n := namesOf(o)
	out := []string{"DROP USER IF EXISTS `" + name + "`" + n.on, "DROP QUOTA IF EXISTS " + n.of(name) + n.on}
	for _, t := range Readable(o) {
		out = append(out, fmt.Sprintf("DROP ROW POLICY IF EXISTS %s ON %s%s", n.of(name), n.table(t), n.on))
	}
	return append(out, "DROP SETTINGS PROFILE IF EXISTS "+n.of(name)+n.on)
}

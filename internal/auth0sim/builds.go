package auth0sim

import (
	"net/http"
	"slices"
	"strings"
	"time"
)

// coreModules are names of Node's own modules that npm has only placeholders for,
// with versions 0 and 1: asking for another version fails to build, as crypto 17.7.1
// did (REC-tf Action #33–43).
var coreModules = map[string]bool{
	"assert": true, "buffer": true, "crypto": true, "dns": true, "events": true, "fs": true, "http": true, "https": true,
	"net": true, "os": true, "path": true, "stream": true, "tls": true, "url": true, "util": true, "zlib": true,
}

// fails says whether a draft can't be built (Options.FailBuilds and coreModules).
func (c *call) fails(o obj) bool {
	if slices.Contains(c.s.o.FailBuilds, "*") {
		return true
	}
	for _, x := range list(o["dependencies"]) {
		d, _ := x.(obj)
		name, version := str(d["name"]), str(d["version"])
		if slices.Contains(c.s.o.FailBuilds, name) || slices.Contains(c.s.o.FailBuilds, name+"@"+version) {
			return true
		}
		if coreModules[name] && version != "" && !strings.HasPrefix(version, "0.") && !strings.HasPrefix(version, "1.") {
			return true
		}
	}
	return false
}

// draftStatus goes pending → building → built, or building → retrying → failed
// (facts §3.6), over the build time; with a build time of 0 only the end is seen.
func (c *call) draftStatus(a *action) string {
	return c.buildStatus(c.now.Sub(a.building), c.fails(a.o))
}

func (c *call) buildStatus(elapsed time.Duration, fails bool) string {
	whole := c.s.o.BuildTime
	switch {
	case elapsed >= whole && fails:
		return "failed"
	case elapsed >= whole:
		return "built"
	case elapsed < whole/10:
		return "pending"
	case fails && elapsed > whole/2:
		return "retrying"
	}
	return "building"
}

// versionStatus is "built" but for a version that was made by a create with
// deploy:true and is still building, or can't be.
func (c *call) versionStatus(v *version) string {
	if c.unbuilt(v) && c.now.Before(v.live) {
		return c.buildStatus(c.s.o.BuildTime-v.live.Sub(c.now), v.broken)
	}
	if v.broken {
		return "failed"
	}
	return "built"
}

// isDeployed says whether a version that a deploy named shows as deployed: soon after, but
// at once where a create has deployed it (REC-go TestActionManager_CreateWithDeploy).
func (c *call) isDeployed(v *version, status string) bool {
	return status != "failed" && (c.unbuilt(v) || !c.now.Before(v.live))
}

// unbuilt says whether a version was made by a create with deploy:true: it is live when it
// is built, and others a moment after they were made.
func (c *call) unbuilt(v *version) bool {
	return v.live.Sub(parseTime(str(v.o["created_at"]))) > c.s.o.BuildTime/10
}

func (c *call) buildEnd(a *action) time.Time { return a.building.Add(c.s.o.BuildTime) }

// newVersion freezes code and secrets under the next number.
func (c *call) newVersion(a *action, from obj, secrets []secret) *version {
	number := 1
	for _, v := range a.versions {
		number = max(number, int(num(v.o["number"]))+1)
	}
	now := stampNano(c.now)
	o := obj{"number": number, "created_at": now, "updated_at": now}
	for _, f := range []string{"code", "dependencies", "runtime", "supported_triggers", "modules"} {
		if v, given := from[f]; given {
			o[f] = cloneAny(v)
		}
	}
	v := &version{record: record{id: c.t.draw.uuid(), o: o}, secrets: slices.Clone(secrets)}
	a.versions = append(a.versions, v)
	if len(a.versions) > maxVersions { // the oldest goes (A0-ACT)
		a.versions = slices.DeleteFunc(slices.Clone(a.versions), func(x *version) bool { return x == a.versions[0] && x.id != a.deployed })
	}
	return v
}

func (c *call) deployAction() answer {
	a, fail := c.theAction("id")
	if fail != nil {
		return *fail
	}
	if c.draftStatus(a) != "built" {
		return badRequest("", "A draft must be in the 'built' state before it can be deployed.") // deploy-cli #395
	}
	v := c.newVersion(a, a.o, a.secrets)
	a.saved = true
	return c.deployed(a, v)
}

// deployed makes v the one that runs. For a moment (a tenth of the build time) bindings
// are still refused; who waits for deployed_version.deployed waits for its end (facts
// §3.6). The answer says deployed:false, the next read true (REC-tf Action #11, #12).
func (c *call) deployed(a *action, v *version) answer {
	v.live = c.now.Add(c.s.o.BuildTime / 10)
	a.deployed = v.id
	shown := showVersion(v, "built", false)
	shown["action"] = a.brief()
	return ok(shown) // 200 in traffic, 202 in the OAS (facts §2)
}

// deployVersion deploys a copy of a former version under a new number, with the
// secret values of that version; update_draft makes them the draft's too (facts
// §3.6, REC-go TestActionManager_DeployVersion).
func (c *call) deployVersion() answer {
	a, fail := c.theAction("actionId")
	if fail != nil {
		return *fail
	}
	former, found := a.version(c.params["id"])
	if !found {
		return noVersion()
	}
	if former.broken { // as with a draft; UNCONFIRMED
		return badRequest("", "A draft must be in the 'built' state before it can be deployed.")
	}
	v := c.newVersion(a, former.o, former.secrets)
	a.saved = false
	if truth(c.body["update_draft"]) {
		for _, f := range []string{"code", "dependencies", "runtime", "supported_triggers", "modules"} {
			if x, given := former.o[f]; given {
				a.o[f] = cloneAny(x)
			}
		}
		a.secrets = slices.Clone(former.secrets)
		a.building = c.now.Add(-c.s.o.BuildTime) // a version has been built
		a.saved = true
	}
	return c.deployed(a, v)
}

func noVersion() answer {
	return failure(http.StatusNotFound, "", "The action version does not exist.")
} // OAS

func (c *call) listVersions() answer {
	a, fail := c.theAction("actionId")
	if fail != nil {
		return *fail
	}
	items := []obj{}
	for _, v := range slices.Backward(a.versions) { // newest first; UNCONFIRMED
		items = append(items, c.fullVersion(a, v))
	}
	return c.sparsePage("versions", items)
}

func (c *call) getVersion() answer {
	a, fail := c.theAction("actionId")
	if fail != nil {
		return *fail
	}
	v, found := a.version(c.params["id"])
	if !found {
		return noVersion()
	}
	return ok(c.fullVersion(a, v))
}

func (c *call) fullVersion(a *action, v *version) obj {
	status := c.versionStatus(v)
	o := showVersion(v, status, v.id == a.deployed && c.isDeployed(v, status))
	o["action"] = a.brief()
	if status == "built" {
		o["built_at"] = v.o["updated_at"]
	}
	return o
}

// num reads a JSON number, made here or decoded.
func num(v any) float64 {
	switch v := v.(type) {
	case float64:
		return v
	case int:
		return float64(v)
	}
	return 0
}

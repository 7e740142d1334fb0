#include <coppice/supervisors/validate.hpp>

#include <coppice/runtime/limits.hpp>

#include <algorithm>
#include <fmt/format.h>
#include <set>
#include <string_view>
#include <utility>

namespace coppice {
namespace {

using std::chrono::milliseconds;

/// Collects what is wrong with one child, or with the supervisor.
class findings {
public:
  findings(std::string child, std::vector<spec_error>& found)
      : child_{std::move(child)},
        found_{found} {}

  void add(std::string field, std::string value, std::string why) {
    found_.push_back({child_, std::move(field), std::move(value), std::move(why)});
  }
  void positive(const char* field, milliseconds length) {
    if (length <= milliseconds::zero()) add(field, to_text(length), "must be positive");
    not_too_long(field, length);
  }
  void not_too_long(const char* field, milliseconds length) {
    if (length > limits::longest_duration) add(field, to_text(length), "is longer than a year");
  }

private:
  std::string child_;
  std::vector<spec_error>& found_;
};

void check_supervisor(const supervisor_spec& spec, findings found) {
  const restart_limit& limit = spec.intensity;
  if (limit.restarts > limits::restarts_counted)
    found.add("intensity.restarts", fmt::format("{}", limit.restarts),
              fmt::format("more than {} cannot be counted", limits::restarts_counted));
  if (limit.restarts > 0 && limit.period <= milliseconds::zero())
    found.add("intensity.period", to_text(limit.period),
              "must be positive where restarts are allowed");
  else if (limit.period < milliseconds::zero())
    found.add("intensity.period", to_text(limit.period), "must not be negative");
  found.not_too_long("intensity.period", limit.period);
  if (spec.on_exceeded == exceeded_policy::degrade &&
      spec.strategy != restart_strategy::one_for_one)
    found.add("on_exceeded", "degrade",
              fmt::format("keeps one child down while the others go on, which {} does not allow",
                          to_string(spec.strategy)));
  if (spec.parallel_start && spec.max_starting == 0)
    found.add("max_starting", "0", "nothing could ever start");
}

void check_id(const std::string& id, std::set<std::string_view>& seen, findings& found) {
  const auto control = [](char c) { return static_cast<unsigned char>(c) < ' ' || c == '\x7f'; };
  if (id.empty()) {
    found.add("id", "\"\"", "must not be empty");
    return;
  }
  if (std::ranges::any_of(id, control))
    found.add("id", fmt::format("\"{}\"", id), "contains a control character");
  if (!seen.insert(id).second)
    found.add("id", fmt::format("\"{}\"", id), "is the id of an earlier child, too");
}

void check_significant(const supervisor_spec& supervisor, const child_spec& child,
                       findings& found) {
  if (!child.significant) return;
  if (child.restart == restart_type::permanent)
    found.add("significant", "true", "a permanent child never ends for good");
  if (supervisor.auto_shutdown == auto_shutdown_policy::never)
    found.add("significant", "true", "means nothing while auto_shutdown is never");
}

void check_backoff(const supervisor_spec& supervisor, const backoff& wait, findings& found) {
  if (wait.is_none()) {
    if (supervisor.on_exceeded == exceeded_policy::degrade)
      found.add("backoff", "none", "a degraded child is tried again at backoff.max: a hot loop");
    return;
  }
  found.positive("backoff.first", wait.first);
  found.positive("backoff.max", wait.max);
  found.positive("backoff.stable_after", wait.stable_after);
  if (wait.max < wait.first)
    found.add("backoff.max", to_text(wait.max),
              fmt::format("is below backoff.first ({})", to_text(wait.first)));
  if (!(wait.factor >= 1)) // also when it is not a number
    found.add("backoff.factor", fmt::format("{}", wait.factor), "must be at least 1");
  if (!(wait.jitter >= 0 && wait.jitter < 1))
    found.add("backoff.jitter", fmt::format("{}", wait.jitter), "must be in [0, 1)");
}

void check_child(const supervisor_spec& spec, const child_spec& child, std::string name,
                 std::set<std::string_view>& ids, std::vector<spec_error>& all) {
  findings found{std::move(name), all};
  check_id(child.id, ids, found);
  if (child.shutdown) {
    if (const auto limit = child.shutdown->limit()) found.positive("shutdown", *limit);
  }
  if (child.ready_timeout) found.positive("ready_timeout", *child.ready_timeout);
  check_significant(spec, child, found);
  check_backoff(spec, child.backoff, found);
}

} // namespace

std::string spec_error::message() const {
  return fmt::format("{}: {} = {}: {}", child.empty() ? "supervisor" : "child \"" + child + "\"",
                     field, value, why);
}

std::vector<spec_error> validate(const supervisor_spec& spec,
                                 std::span<const child_spec> children) {
  std::vector<spec_error> all;
  check_supervisor(spec, findings{"", all});
  std::set<std::string_view> ids;
  for (std::size_t i = 0; i < children.size(); ++i) {
    const child_spec& child = children[i];
    check_child(spec, child, child.id.empty() ? fmt::format("number {}", i + 1) : child.id, ids,
                all);
  }
  return all;
}

std::vector<spec_error> validate(const supervisor_spec& spec, std::span<const child_spec> children,
                                 const child_template& dynamic) {
  std::vector<spec_error> all = validate(spec, children);
  findings own{"", all};
  if (spec.strategy != restart_strategy::one_for_one)
    own.add("strategy", std::string{to_string(spec.strategy)},
            "dynamic children are restarted one by one: one_for_one");
  if (dynamic.max_children == 0 || dynamic.max_children > limits::dynamic_children)
    own.add("max_children", fmt::format("{}", dynamic.max_children),
            fmt::format("is not within 1 and {}", limits::dynamic_children));
  else if (dynamic.initial > dynamic.max_children)
    own.add("instances", fmt::format("{}", dynamic.initial),
            fmt::format("is more than max_children ({})", dynamic.max_children));
  std::set<std::string_view> ids;
  check_child(spec, dynamic.spec, dynamic.spec.id.empty() ? "the template" : dynamic.spec.id, ids,
              all);
  return all;
}

} // namespace coppice

// Dynamic children: made from one template, numbered, and forgotten once they have ended for good
// (OTP: simple_one_for_one). A pool of workers is such a supervisor.
#include <coppice/supervisors/supervision.hpp>

#include <algorithm>
#include <fmt/format.h>
#include <ranges>
#include <set>

namespace coppice {
namespace {

/// Scaled away, or stopped by a call: it is there until it has ended, and counts no more.
bool is_leaving(const supervised_child& child) {
  if (child.retires && child.retires->stopped) return false; // it comes back
  return child.state == child_state::stopping || child.state == child_state::killing ||
         child.state == child_state::removed;
}

} // namespace

supervised_child& supervision::add_dynamic(std::uint64_t ticket) {
  const unsigned number = lowest_free_number();
  child_spec spec = template_->spec;
  spec.id = fmt::format("{}/{}", spec.id, number);
  supervised_child& added = children_.add(std::move(spec), spec_.intensity);
  added.number = number;
  out_.emplace_back(supervising::adopt_child{added.key, ticket});
  return added;
}

unsigned supervision::lowest_free_number() const {
  std::vector<bool> taken(children_.size() + 2);
  for (const supervised_child& child : children_)
    if (child.number < taken.size()) taken[child.number] = true;
  taken[0] = true;
  return static_cast<unsigned>(std::ranges::find(taken, false) - taken.begin());
}

unsigned supervision::dynamic_children() const {
  return static_cast<unsigned>(std::ranges::count_if(children_, [](const supervised_child& child) {
    return child.number != 0 && !is_leaving(child);
  }));
}

void supervision::on_call(std::uint64_t ticket, const calls::scale& what) {
  const auto refuse = [&](call_error code, const std::string& why) {
    answer(ticket, refused(code, fmt::format("scale {}: {}: {}", id_, to_string(code), why)));
  };
  if (!template_) return refuse(call_error::not_dynamic, "its children are fixed");
  if (what.children > template_->max_children)
    return refuse(call_error::max_children,
                  fmt::format("{} is more than {}", what.children, template_->max_children));

  const unsigned before = dynamic_children();
  for (unsigned n = before; n < what.children; ++n) {
    supervised_child& added = add_dynamic(0);
    added.booted = true;
    start_in_turn(added);
  }
  // The highest numbers go, so that the rest stays 1 to n.
  std::vector<supervised_child*> going;
  for (supervised_child& child : children_.all())
    if (child.number != 0 && !is_leaving(child)) going.push_back(&child);
  std::ranges::sort(going, std::ranges::greater{}, &supervised_child::number);
  going.resize(going.size() - std::min<std::size_t>(going.size(), what.children));
  for (supervised_child* child : going) stop_one(*child);
  answer(ticket, call_value{scaled{before, what.children}});
}

} // namespace coppice

#include <coppice/actors/dead_letters.hpp>

#include <bit>
#include <string>

namespace coppice {

namespace {

std::string text_of(const wire::address& who) {
  return who.is_name() ? std::string{who.name} : std::to_string(who.id);
}

} // namespace

std::string_view to_string(dead_letter why) noexcept {
  switch (why) {
  case dead_letter::no_such_address:
    return "no such address";
  case dead_letter::overloaded:
    return "too much waits there";
  case dead_letter::asker_gone:
    return "the process that asked is no more";
  case dead_letter::unasked:
    return "nobody waits for this answer";
  case dead_letter::reserved:
    return "a reserved type";
  }
  return "unknown";
}

void dead_letters::add(dead_letter why, const wire::envelope_view& envelope) {
  auto& count = counts_[static_cast<std::size_t>(why)];
  if (std::has_single_bit(++count))
    log_.warn("message '{}' from {} to {} is not delivered: {} (seen {} times)", envelope.type,
              text_of(envelope.from), text_of(envelope.to), to_string(why), count);
}

} // namespace coppice

#include <coppice/runtime/lease/lease_reader.hpp>

#include <algorithm>
#include <cstring>
#include <unistd.h>

namespace coppice {

namespace {

constexpr const char* object = "leases";

} // namespace

result<void> lease_reader::read(void* into, std::size_t size, std::size_t at) const {
  const auto n = ::pread(memory_.get(), into, size, static_cast<off_t>(at));
  if (n < 0) return system_failure("read", object);
  if (static_cast<std::size_t>(n) != size)
    return failure_because("read", object, "the ledger is too short");
  return {};
}

result<void> lease_reader::write(const void* from, std::size_t size, std::size_t at) const {
  const auto n = ::pwrite(memory_.get(), from, size, static_cast<off_t>(at));
  if (n < 0) return system_failure("write", object);
  if (static_cast<std::size_t>(n) != size)
    return failure_because("write", object, "the ledger is too short");
  return {};
}

result<lease_page> lease_reader::page() const {
  lease_page copy;
  if (auto done = read(&copy, sizeof copy, lease_page_at); !done)
    return tl::unexpected{done.error()};
  return copy;
}

result<std::vector<std::uint32_t>> lease_reader::returned() {
  const auto now = page();
  if (!now) return tl::unexpected{now.error()};
  std::vector<std::uint32_t> entries;
  if (now->returned == seen_) return entries;
  if (now->returned < seen_ || now->returned - seen_ > limits::lease_slots)
    return failure_because("read", object, "more were returned than there are");
  const auto fresh = static_cast<std::size_t>(now->returned - seen_);
  entries.resize(fresh);
  // The ring may wrap around in between: two pieces then.
  const auto first = static_cast<std::size_t>(seen_ % limits::lease_slots);
  const std::size_t to_end = std::min(fresh, limits::lease_slots - first);
  constexpr std::size_t one = sizeof(std::uint32_t);
  if (auto done = read(entries.data(), to_end * one, return_ring_at + first * one); !done)
    return tl::unexpected{done.error()};
  if (fresh > to_end)
    if (auto done = read(entries.data() + to_end, (fresh - to_end) * one, return_ring_at); !done)
      return tl::unexpected{done.error()};
  seen_ = now->returned;
  return entries;
}

result<slot_head> lease_reader::head(std::uint32_t slot) const {
  slot_head copy;
  if (auto done = read(&copy, sizeof copy, slot_at(slot)); !done)
    return tl::unexpected{done.error()};
  return copy;
}

result<carried_lease> lease_reader::carry(std::uint32_t slot, const lease_verdict& verdict) const {
  carried_lease lease{.state = verdict.next,
                      .attempt = verdict.attempt,
                      .taken = verdict.taken,
                      .written = verdict.written,
                      .input = std::string(verdict.input.size, '\0'),
                      .output = std::string(verdict.output.size, '\0'),
                      .history = verdict.history};
  for (const auto& [range, into] :
       {std::pair{verdict.input, &lease.input}, std::pair{verdict.output, &lease.output}})
    if (range.size > 0)
      if (auto done = read(into->data(), range.size, slot_at(slot) + range.at); !done)
        return tl::unexpected{done.error()};
  return lease;
}

result<void> lease_reader::put(std::uint32_t slot, std::uint64_t id,
                               const carried_lease& lease) const {
  slot_head head;
  head.lease = id + 1;
  head.taken = lease.taken;
  head.written = lease.written;
  lease_record& record = head.records[0];
  record.in_off = record.journal_base = lease.taken - lease.input.size();
  record.out_off = lease.written;
  record.staged = static_cast<std::uint32_t>(lease.output.size());
  record.attempt = lease.attempt;
  record.state = lease.state.word();
  if (auto done = write(&head, sizeof head, slot_at(slot)); !done) return done;
  if (!lease.input.empty())
    if (auto done = write(lease.input.data(), lease.input.size(), slot_at(slot) + journal_offset);
        !done)
      return done;
  if (!lease.output.empty())
    return write(lease.output.data(), lease.output.size(), slot_at(slot) + stage_offset);
  return {};
}

} // namespace coppice

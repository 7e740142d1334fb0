#include <coppice/runtime/lease/lease_recovery.hpp>

#include <coppice/runtime/limits.hpp>

namespace coppice {

namespace {

lease_verdict reset(const char* why) noexcept {
  lease_verdict verdict;
  verdict.fate = lease_fate::reset;
  verdict.why = why;
  return verdict;
}

exchange_history one_more(exchange_history history, std::uint64_t in_off, blame whose) noexcept {
  if (history.in_off != in_off) history = {.in_off = in_off};
  ++history.moves;
  if (whose == blame::kill || whose == blame::suspect) ++history.kills;
  if (whose == blame::crash) ++history.crashes;
  return history;
}

/// Why an exchange may be given to nobody any more, if so.
abandoned_why spent(const exchange_history& history, bool handled) noexcept {
  if (history.crashes >= limits::poison_crashes) return abandoned_why::poison;
  if (history.kills >= limits::poison_kills) return abandoned_why::too_often;
  if (handled && history.moves >= limits::max_moves) return abandoned_why::too_often;
  return abandoned_why::none;
}

} // namespace

lease_verdict judge(const slot_head& head, std::uint64_t id, const lease_witness& kernel,
                    protection level, blame whose, const exchange_history& before) noexcept {
  lease_verdict verdict;
  if (kernel.over) {
    verdict.fate = lease_fate::ended;
    return verdict;
  }
  if (head.lease != id + 1) {
    if (kernel.taken != 0 || kernel.written != 0)
      return reset("it was used, and its worker never noted it");
    verdict.fate = lease_fate::as_offered;
    return verdict;
  }

  const lease_record& record = head.records[head.current & 1];
  if (!lease_state::well_formed(record.state)) return reset("its state is unknown");
  lease_state now = lease_state::of(record.state);
  if (now.spoilt) return reset("its worker died while it put it in order");
  verdict.fate = lease_fate::goes_on;
  verdict.next = now;
  verdict.attempt = record.attempt;
  verdict.taken = kernel.taken;
  verdict.written = kernel.written;
  const bool handled =
      now.phase == exchange_phase::handling || now.phase == exchange_phase::streaming;
  // A handler that dies behind its answer has ended its exchange: the next one, of which nothing is
  // there yet, has no part in it.
  const bool nothing_of_it = now.phase == exchange_phase::reading && kernel.taken == record.in_off;
  if (nothing_of_it || (whose == blame::suspect && !handled)) whose = blame::none;
  verdict.history = one_more(before, record.in_off, whose);

  // ---- output: what is staged and not written
  if (record.staged > stage_size) return reset("its stage is too long");
  if (kernel.written < record.out_off) return reset("less was written than answered");
  const std::uint64_t done = kernel.written - record.out_off;
  const bool past_stage = done > record.staged;
  if (!past_stage)
    verdict.output = {static_cast<std::uint32_t>(stage_offset + done),
                      static_cast<std::uint32_t>(record.staged - done)};
  if (now.phase == exchange_phase::closing) {
    if (past_stage) return reset("more was written than answered");
    if (kernel.fin_sent && verdict.output.size > 0) return reset("it was closed too early");
    return verdict;
  }
  if (kernel.fin_sent && now.phase == exchange_phase::streaming) { // nothing follows a FIN
    verdict.next = {.phase = exchange_phase::closing};
    verdict.output = {};
    return verdict;
  }
  if (kernel.fin_sent) return reset("it was closed, and its worker never noted it");
  if (past_stage)
    return reset(now.phase == exchange_phase::streaming ? "its answer is written in part"
                                                        : "more was written than answered");

  // ---- input: what is received and not consumed
  if (record.in_off < record.journal_base || record.in_off > kernel.taken ||
      kernel.taken - record.journal_base > journal_size)
    if (now.phase != exchange_phase::streaming) return reset("its journal does not hold its input");
  const bool in_journal =
      now.phase != exchange_phase::streaming ||
      (record.in_end == kernel.taken && record.in_off >= record.journal_base &&
       record.in_off <= kernel.taken && kernel.taken - record.journal_base <= journal_size);
  if (in_journal) {
    const std::uint64_t size = kernel.taken - record.in_off;
    if (size > limits::lease_input) return reset("its input is too long");
    verdict.input = {
        static_cast<std::uint32_t>(journal_offset + (record.in_off - record.journal_base)),
        static_cast<std::uint32_t>(size)};
  }

  // ---- the exchange
  const auto abandon = [&](abandoned_why why) {
    verdict.next.phase = exchange_phase::abandoned;
    verdict.next.replayable = false;
    verdict.next.why = why;
    return verdict;
  };
  if (now.phase == exchange_phase::abandoned) {
    if (verdict.history.crashes > limits::poison_crashes) return reset("it cannot even be refused");
    return abandon(now.why == abandoned_why::none ? abandoned_why::not_replayable : now.why);
  }
  if (handled && (!now.replayable || level != protection::request || !in_journal))
    return abandon(abandoned_why::not_replayable);
  if (const auto why = spent(verdict.history, handled); why != abandoned_why::none)
    return abandon(why);
  verdict.next.phase = exchange_phase::reading;
  verdict.next.replayable = false;
  if (handled) ++verdict.attempt;
  return verdict;
}

} // namespace coppice

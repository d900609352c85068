namespace Penstock.Agents;

/// <summary>
/// What a journal tells, and with which members. The state of a run is the fold of these, and so is what its watchers see. A prompt is never journaled: it is
/// made from the entries before its intent.
/// <code>
/// run.started         definition, input, tools?, model?, limits?, authority?, fork?[run, from]  the definition as it is pinned; the input as it came; names of tools where the client chose some;
///                                                        what a token allowed (scopes, models, tools), for tokens are not stored;
///                                                        fork: what follows up to its first model call is that run's, with this one's time and epoch 0
/// run.document        docId, title?, uri?, text          a text given with the run, which 'search' finds
/// run.remembered      messages?[role, text], facts?[]    what memory gave: the thread so far, facts about the end user
/// model.intent        op, attempt, model                 a model is about to be called; op is the seq of its first attempt's intent
/// model.result        op, text, calls[id, name, arguments], finish, model, provider, inputTokens, outputTokens, cost, latencyMs, parts?
/// model.failed        op, attempt, code, message, retry  retry: it is tried again
/// answer.unfit        message                            why the last answer cannot stand; told to the model
/// model.lost          op, attempt                        its worker died; what it may have cost stays booked
/// tool.intent         call, name, effect, attempt, key   a tool is about to be called; key is the same for every attempt
/// tool.result         call, name, output, cost, latencyMs
/// tool.failed         call, name, attempt, code, message, retry
/// tool.unknown        call, name, attempt, expiresAt, reconcile?   its worker died during a call of effect 'once': a person says what became of it, where
///                                                        the tool itself could not; reconcile: why it could not
/// outcome.decided     call, done, output?, by, reason?   what they said, or the tool itself (by 'reconcile'); not done: it is called again
/// approval.requested  call, name, arguments, expiresAt
/// approval.decided    call, approved, by, reason?        by is null where it expired
/// timer.set           call, until                        a wait that parks the run
/// child.started       call, run, agent
/// child.ended         call, run, status, output?, error?, cost
/// signal              id, name, payload                  told to the model
/// cancel.requested    by, reason?
/// summary             to, text                           stands for what was said before entry 'to' in later prompts
/// run.redriven        by
/// run.ended           status, output?, error?{code, message}, cost, steps
/// </code>
/// An <c>output</c> or <c>text</c> that is too large is its beginning here, and <c>blobs: {member: {sha256, bytes}}</c> says where the whole is; <c>cut: member</c> that it is nowhere.
/// A member with <c>?</c> may be absent. Times are ISO 8601, money is in USD, <c>arguments</c> and <c>output</c> are JSON.
/// </summary>
internal static class JournalKinds
{
    public const string Started = "run.started";
    public const string Document = "run.document";
    public const string Remembered = "run.remembered";
    public const string ModelIntent = "model.intent";
    public const string ModelResult = "model.result";
    public const string ModelFailed = "model.failed";
    public const string AnswerUnfit = "answer.unfit";
    public const string ModelLost = "model.lost";
    public const string ToolIntent = "tool.intent";
    public const string ToolResult = "tool.result";
    public const string ToolFailed = "tool.failed";
    public const string ToolUnknown = "tool.unknown";
    public const string OutcomeDecided = "outcome.decided";
    public const string ApprovalRequested = "approval.requested";
    public const string ApprovalDecided = "approval.decided";
    public const string TimerSet = "timer.set";
    public const string ChildStarted = "child.started";
    public const string ChildEnded = "child.ended";
    public const string Signal = "signal";
    public const string CancelRequested = "cancel.requested";
    public const string Summary = "summary";
    public const string Redriven = "run.redriven";
    public const string Ended = "run.ended";

    /// <summary>Of a chunk: <c>op</c>, and <c>text</c>, or <c>index</c> with <c>name</c> or <c>arguments</c> of a tool call.</summary>
    public const string ModelDelta = "model.delta";
}

/// <summary>
/// Kinds of inbox items, their ids and bodies.
/// <code>
/// cancel    id 'cancel'            by, reason?
/// approval  id 'approval:&lt;call&gt;'  call, approved, by, reason?
/// outcome   id 'outcome:&lt;call&gt;:&lt;seq of tool.unknown&gt;'   call, done, output?, by, reason?
/// signal    id chosen by the client, or made   name, payload
/// child     id 'child:&lt;run&gt;'      run
/// redriven  id made                by
/// </code>
/// </summary>
internal static class InboxKinds
{
    public const string Cancel = "cancel";
    public const string Approval = "approval";
    public const string Outcome = "outcome";
    public const string Signal = "signal";
    public const string Child = "child";
    public const string Redriven = "redriven";
}

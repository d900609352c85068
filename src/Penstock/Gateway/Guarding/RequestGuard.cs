using Microsoft.AspNetCore.Http;
using Penstock.Gateway.Wire;
using Penstock.Guards;
using Penstock.Kernel;

namespace Penstock.Gateway.Guarding;

/// <summary>The guard rules of one request, and what they found.</summary>
internal sealed class RequestGuard(GuardPlan plan, GatewayMetrics metrics)
{
    public const string Header = "x-penstock-guards";

    private readonly GuardTally _prompt = new(rule => metrics.RecordGuard(rule, "in"));
    private readonly GuardTally _answer = new(rule => metrics.RecordGuard(rule, "out"));

    /// <summary>Null for a request that no rule counts for.</summary>
    public static RequestGuard? Of(HttpContext http) => http.Features.Get<RequestGuard>();

    /// <summary>The same for all whose answers are treated alike; null where nothing is done to answers.</summary>
    public string? AnswersAs => plan.OutName.Length > 0 ? plan.OutName : null;

    /// <summary>The body as everybody else sees it; throws 400 where a rule blocks.</summary>
    public ReadOnlyMemory<byte> Prompt(ReadOnlyMemory<byte> body, IHeaderDictionary headers)
    {
        if (!plan.In.Any) return body;
        body = PromptGuard.Apply(body, plan.In, _prompt);
        WriteTo(headers);
        return _prompt.BlockedBy is { } rule ? throw new RefusedException(Blocked("request", rule)) : body;
    }

    /// <summary>A text that comes beside the body, such as a header.</summary>
    public string Prompt(string text, IHeaderDictionary headers)
    {
        if (!plan.In.Any) return text;
        var shown = new GuardScan(plan.In, _prompt).Whole(text);
        WriteTo(headers);
        return _prompt.BlockedBy is { } rule ? throw new RefusedException(Blocked("request", rule)) : shown;
    }

    /// <summary>Null where nothing is done to answers.</summary>
    /// <param name="head">Says in which of its two forms the answer goes on: a provider's own bytes, or what they mean.</param>
    public AnswerGuard? Answer(AnswerHead head)
    {
        if (!plan.Out.Any) return null;
        var means = new UpdateGuard(plan.Out, _answer);
        if (!plan.Out.Change) return new FlagGuard(means, _answer);
        return (head.SameDialect, head.Call.Dialect) switch
        {
            (true, Dialect.OpenAi) => new OpenAiGuard(plan.Out, _answer, means),
            (true, Dialect.Anthropic) => new AnthropicGuard(plan.Out, _answer),
            _ => means,
        };
    }

    /// <summary>A whole answer in no dialect's words; throws 400 where a rule blocks it.</summary>
    public ProviderFrame Answer(in ProviderFrame frame, IHeaderDictionary headers)
    {
        if (!plan.Out.Any) return frame;
        var shown = new UpdateGuard(plan.Out, _answer).Whole(frame);
        WriteTo(headers);
        return _answer.BlockedBy is { } rule ? throw new RefusedException(Blocked("answer", rule)) : shown;
    }

    /// <summary>What was found so far, where anything was.</summary>
    public void WriteTo(IHeaderDictionary headers)
    {
        if (GuardTally.Text(_prompt, _answer) is { Length: > 0 } found) headers[Header] = found;
    }

    private static Refusal Blocked(string what, string rule) =>
        new(RefusalKind.Invalid, "guard_blocked", $"The {what} was stopped by guard rule '{rule}'. Take out what the rule is about, or ask an admin of your keys.") { Field = what == "request" ? "" : null };
}

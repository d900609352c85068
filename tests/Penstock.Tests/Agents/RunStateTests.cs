using Penstock.Agents;
using Penstock.Kernel;
using Xunit;

namespace Penstock.Tests.Agents;

public sealed class RunStateTests
{
    private static readonly DateTimeOffset Start = new(2026, 11, 25, 12, 0, 0, TimeSpan.Zero);

    private readonly RunState _state = new(_ => new AgentDefinition
    {
        Name = "a",
        Version = "1",
        Description = "",
        Model = "m",
        Instructions = "",
        Limits = new AgentLimits { Usd = Money.Zero, Steps = 1, Wall = TimeSpan.FromHours(1), ToolCalls = 10 },
        Text = "{}",
        Hash = "",
    });

    public RunStateTests()
    {
        Tell(0, JournalKinds.Started, """{"definition":{},"input":"x"}""");
        Tell(0, JournalKinds.ModelIntent, """{"op":1,"attempt":1,"model":"m"}""");
        Tell(0, JournalKinds.ModelResult, """{"op":1,"text":"","calls":[{"id":"c0","name":"t","arguments":"{}"},{"id":"c1","name":"t","arguments":"{}"}],"finish":"toolcalls","model":"m","provider":"p","inputTokens":1,"outputTokens":1,"cost":0,"latencyMs":1}""");
    }

    [Fact]
    public void People_who_are_asked_at_the_same_time_take_their_time_once()
    {
        Tell(1, JournalKinds.ApprovalRequested, """{"call":"c0","name":"t","arguments":"{}","expiresAt":"2999-01-01T00:00:00Z","onExpire":"reject"}""");
        Tell(2, JournalKinds.ApprovalRequested, """{"call":"c1","name":"t","arguments":"{}","expiresAt":"2999-01-01T00:00:00Z","onExpire":"reject"}""");
        Tell(5, JournalKinds.ApprovalDecided, """{"call":"c0","approved":true,"by":"k"}""");
        Assert.Equal(Start.AddMinutes(1), _state.AwaitsPeopleSince);
        Tell(9, JournalKinds.ApprovalDecided, """{"call":"c1","approved":true,"by":"k"}""");

        Assert.Equal((TimeSpan.FromMinutes(8), null), (_state.Waited, _state.AwaitsPeopleSince));
    }

    [Fact]
    public void A_question_that_nobody_answers_took_its_time_too()
    {
        Tell(1, JournalKinds.ToolUnknown, """{"call":"c0","name":"t","attempt":1,"expiresAt":"2026-11-25T12:31:00Z"}""");
        Tell(31, JournalKinds.ToolFailed, """{"call":"c0","name":"t","attempt":1,"code":"outcome_unknown","message":"m","retry":false}""");

        Assert.Equal(TimeSpan.FromMinutes(30), _state.Waited);
    }

    private void Tell(int minute, string kind, string body) => _state.Apply(new JournalEntry(_state.NextSeq, kind, Start.AddMinutes(minute), 1, body));
}

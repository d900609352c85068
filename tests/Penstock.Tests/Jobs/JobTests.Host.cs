using System.Text;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Penstock.Gateway;
using Penstock.Jobs;
using Penstock.Kernel;
using Penstock.Tests.Gateway;
using Xunit;

namespace Penstock.Tests.Jobs;

public sealed partial class JobTests
{
    /// <summary>Five jobs that wait for <see cref="Open"/>: whatever is submitted after them waits in the queue.</summary>
    private async Task FillAsync()
    {
        _host.Script.Chat = (_, ct) => After(_gate.Task, ct);
        for (var i = 0; i < 5; i++) await SubmitAsync();
        await GatewayHost.UntilAsync(() => _host.Script.Open == 5);
    }

    private void Open() => _gate.SetResult();

    private static async IAsyncEnumerable<ProviderFrame> After(Task gate, [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken ct)
    {
        await gate.WaitAsync(ct);
        yield return Frames.Whole("Hello");
    }

    private async Task<string> SubmitAsync(string body = Ask, string key = GatewayHost.OperatorKey)
    {
        var accepted = await _host.PostAsync("/v1/jobs", body, key);
        Assert.True(accepted.Status == 202, accepted.Body);
        return accepted.Text("id")!;
    }

    /// <summary>What a worker that died leaves behind.</summary>
    private async Task<JobId> LeaveAsync(string path, string request, int attempts = 1, string key = "root")
    {
        var id = new JobId("job_" + new string('b', 24));
        Assert.True(await Store.AddAsync(Job(id, path) with { Key = new KeyId(key), State = JobState.Running, Owner = "worker_dead", Attempts = attempts, LeaseUntil = _host.Time.GetUtcNow().AddSeconds(30) }, Encoding.UTF8.GetBytes(request), Ct));
        await Queue.SendAsync(new JobMessage(id.Value, "default", "request"), TimeSpan.Zero, Ct);
        return id;
    }

    private JobRecord Job(JobId id, string path) => new()
    {
        Tenant = TenantId.Default,
        Id = id,
        Key = new KeyId("root"),
        Project = ProjectId.Default,
        Path = path,
        CreatedAt = _host.Time.GetUtcNow(),
        UpdatedAt = _host.Time.GetUtcNow(),
        Keep = TimeSpan.FromHours(72),
    };

    private async Task<JobRecord> RecordAsync(string job) => (await Store.GetAsync(TenantId.Default, new JobId(job), Ct))!;

    private async Task<Answer> StateAsync(string job, string state)
    {
        var answer = await _host.GetAsync($"/v1/jobs/{job}");
        await GatewayHost.UntilAsync(async () => (answer = await _host.GetAsync($"/v1/jobs/{job}")).Text("state") == state, state);
        return answer;
    }

    /// <summary>As <see cref="StateAsync"/>, while time goes on.</summary>
    private async Task<Answer> AdvancingAsync(string job, string state)
    {
        var answer = await _host.GetAsync($"/v1/jobs/{job}");
        await GatewayHost.UntilAsync(async () =>
        {
            _host.Advance(TimeSpan.FromSeconds(1));
            return (answer = await _host.GetAsync($"/v1/jobs/{job}")).Text("state") == state;
        }, state);
        return answer;
    }

    /// <summary>Until no message is there, hidden ones included.</summary>
    private async Task EmptyAsync()
    {
        var worker = _host.Services.GetServices<IHostedService>().OfType<JobWorker>().Single();
        var empty = 0;
        await GatewayHost.UntilAsync(async () =>
        {
            _host.Advance(TimeSpan.FromSeconds(31));
            empty = worker.Working == 0 && (await Queue.ReceiveAsync(1, TimeSpan.FromSeconds(1), TimeSpan.Zero, Ct)).Count == 0 ? empty + 1 : 0;
            return empty == 3;
        });
    }

    private static Task<(int Status, string? Code)> CodeAsync(Answer answer) => Task.FromResult((answer.Status, answer.Text("code")));

    private static IEnumerable<string> Ids(Answer list) => list.Json.GetProperty("jobs").EnumerateArray().Select(job => job.GetProperty("id").GetString()!);
}

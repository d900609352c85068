using System.Reflection;

namespace Penstock.Tests.Agents.Simulation;

/// <summary>A store whose calls are over when they return: what its threads do meanwhile changes the order of nothing.</summary>
public class Blocking<T> : DispatchProxy
    where T : class
{
    private T _inner = null!;

    public void Take(T inner) => _inner = inner;

    protected override object? Invoke(MethodInfo? targetMethod, object?[]? args)
    {
        // Without a place to come back to.
        var before = SynchronizationContext.Current;
        SynchronizationContext.SetSynchronizationContext(null);
        try
        {
            var answer = targetMethod!.Invoke(_inner, BindingFlags.DoNotWrapExceptions, null, args, null);
            if (answer is Task task) ((IAsyncResult)task).AsyncWaitHandle.WaitOne();
            return answer;
        }
        finally
        {
            SynchronizationContext.SetSynchronizationContext(before);
        }
    }
}

internal static class Blocking
{
    public static T Around<T>(T inner)
        where T : class
    {
        var proxy = DispatchProxy.Create<T, Blocking<T>>();
        ((Blocking<T>)(object)proxy).Take(inner);
        return proxy;
    }
}
